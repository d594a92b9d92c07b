#!/bin/sh
# Makes the certificates of the tests: their keys protect nothing, and they hold from 2020 to the end of 9999. They are
# committed, so that no test needs openssl; run it again only to change them.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/index"
cat > "$work/ca.cnf" <<CNF
[ca]
default_ca = tests
[tests]
database = $work/index
new_certs_dir = $work
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
CNF

# certificate NAME AUTHORITY END EXTENSIONS; an authority is its own.
certificate() {
    openssl req -config "$work/ca.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" \
        -out "$work/$1.csr" -subj "/CN=$1"
    printf '%b' "$4" > "$work/extensions"
    if [ "$1" = "$2" ]; then by="-selfsign"; else by="-cert $2.pem"; fi
    # shellcheck disable=SC2086
    openssl ca -batch -notext -config "$work/ca.cnf" -in "$work/$1.csr" -out "$1.pem" -keyfile "$2.key" $by \
        -startdate 20200101000000Z -enddate "$3" -extfile "$work/extensions"
}
END=99991231235959Z
certificate authority authority $END 'basicConstraints=critical,CA:TRUE\n'
certificate stranger stranger $END 'basicConstraints=critical,CA:TRUE\n'
certificate server authority $END 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n'
certificate expired authority 20210101000000Z 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
certificate other_name authority $END 'subjectAltName=DNS:other.example\nextendedKeyUsage=serverAuth\n'
certificate client authority $END 'extendedKeyUsage=clientAuth\n'
certificate unknown_client stranger $END 'extendedKeyUsage=clientAuth\n'
rm authority.key stranger.key
