# Sourced by demo.sh and test.sh: system packages, and a virtual environment in .venv with napari-ldseg in it.
# A second run with unchanged packaging files takes no time.

# What Qt and a virtual screen need on a Debian or Ubuntu without a desktop.
system_packages=(
    python3-venv xvfb xauth libegl1 libgl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon-x11-0 libxcb-cursor0
    libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0
    libxcb-xkb1
)

install_system_packages() {
    command -v dpkg-query >/dev/null || return 0
    local missing=() name
    for name in "${system_packages[@]}"; do
        # The t64 names are those of Debian 13 and Ubuntu 24.04.
        dpkg-query -W -f='${db:Status-Status}\n' "$name" "${name}t64" 2>/dev/null | grep -qx installed \
            || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -eq 0 ]; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    elif [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        echo "These packages may be missing: sudo apt-get install ${missing[*]}" >&2
    fi
}

install_package() {
    local python=${PYTHON:-python3} stamp=.venv/.installed file
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "Python 3.11 or newer is needed; name one by PYTHON=..." >&2
        return 1
    }
    for file in setup.cfg setup.py pyproject.toml constraints.txt; do
        if [ ! "$stamp" -nt "$file" ]; then
            "$python" -m venv .venv
            # Python compiles the modules that it imports; compiling all 23,000 of them would take most of a minute.
            .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt \
                -e '.[all,testing]'
            touch "$stamp"
            break
        fi
    done
}

# Run a command on the screen, or on a virtual one where there is none.
on_screen() {
    if [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        xvfb-run --auto-servernum --server-args="-screen 0 1600x1200x24" "$@"
    else
        "$@"
    fi
}

install_system_packages
install_package
