# For other scripts: unpacks Debian packages without installing them, into $work, which vanishes in the end. Root is not needed.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists" "$work/cache"
for tool in apt-get dpkg; do
    command -v "$tool" >/dev/null || {
        echo "$(basename "$0"): $tool not found: this script takes pictures from Debian packages" >&2
        exit 1
    }
done

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}

# Downloads and unpacks a package into $work/PACKAGE.
unpack() {
    local package=$1
    echo "downloading $package"
    # First with the system's package lists; if they are empty or stale, with fresh ones of our own, for which
    # root is not needed.
    local own_lists=(-o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache")
    if ! (cd "$work" && apt-get -qq download "$package") >"$work/log" 2>&1; then
        { apt-get -qq "${own_lists[@]}" update && (cd "$work" && apt-get -qq "${own_lists[@]}" download "$package"); } \
            >"$work/log" 2>&1 || fail "cannot download $package: $(tail -n 1 "$work/log")"
    fi
    dpkg -x "$work/$package"_*.deb "$work/$package"
}
