#!/bin/sh
# Installs Keycloak, whose SCIM API is a preview, into .build/keycloak, for `make test-long`. Does nothing where that is done.
# Maven fetches it by its name. It is built once for its database in memory, so that each start is a shorter one.
set -eu
version=26.7.3
checksum=27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f
root=$(readlink -f "$(dirname "$(readlink -f "$0")")/../..")
folder=$root/.build/keycloak
if [ "$(cat "$folder/installed.txt" 2>/dev/null)" = "$checksum" ]; then
    exit 0
fi
for tool in mvn unzip java; do
    command -v $tool >/dev/null || { echo "Maven, unzip and Java 17 or newer are needed for Keycloak" >&2; exit 1; }
done
fetched=$root/.build/keycloak-fetched
rm -rf "$folder" "$fetched"
mvn -q -B -Dmaven.repo.local="$fetched/maven" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$fetched"
echo "$checksum  $fetched/keycloak-quarkus-dist-$version.zip" | sha256sum --check --quiet
unzip -q "$fetched/keycloak-quarkus-dist-$version.zip" -d "$fetched"
"$fetched/keycloak-$version/bin/kc.sh" build --features=scim-api --db=dev-mem
echo "$checksum" > "$fetched/keycloak-$version/installed.txt"
mv "$fetched/keycloak-$version" "$folder"
rm -rf "$fetched"
