# Sourced by the install scripts: sets PYTHON to an interpreter of at least version 3.11, or says what is missing.
# A name on the PATH is not enough: version managers leave names there that do not run.
if [ -z "${PYTHON:-}" ]; then
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            PYTHON=$candidate
            break
        fi
    done
fi
if [ -z "${PYTHON:-}" ]; then
    echo "Python 3.11 or newer with venv is needed; set PYTHON to one" >&2
    exit 1
fi

# Makes a virtual environment with exactly the packages of a list, once: install_into FOLDER REQUIREMENTS
# A stamp with the list's text says that the folder is finished, so the second call costs a comparison.
install_into() {
    if [ -f "$1/installed.txt" ] && cmp -s "$2" "$1/installed.txt"; then
        return 0
    fi
    rm -rf "$1"
    "$PYTHON" -m venv "$1"
    "$1/bin/python" -m pip --disable-pip-version-check -q install -r "$2"
    cp "$2" "$1/installed.txt"
}
