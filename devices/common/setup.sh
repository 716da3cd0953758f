#!/bin/sh
# Sets up a board for edgecls: an environment, cameras and Coral sticks for people, the service.
#
#   sudo devices/common/setup.sh              # from a checkout on the board
#   devices/common/setup.sh --dry-run         # says what it would do, and does nothing
#
# Raspberry Pi OS and Debian, Bookworm and Trixie. It may be run again at any time: what is there
# already stays, and settings are never overwritten.
set -eu

usage() {
  cat <<'END'
usage: setup.sh [--dry-run] [--from WHAT] [--user NAME] [--no-picamera] [--no-service] [--root DIR]
  --dry-run      print every command, run none
  --from WHAT    what pip installs: a wheel, a checkout or a name (default: this checkout)
  --user NAME    who else may use cameras and put models there (default: who called sudo)
  --no-picamera  no ribbon camera: an environment without the system's packages
  --no-service   no service edgecls-camera
  --root DIR     look at the system below DIR; only with --dry-run
END
}

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
dry=no from='' person=${SUDO_USER:-} picamera=yes service=yes root=''
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry=yes ;;
    --no-picamera) picamera=no ;;
    --no-service) service=no ;;
    --from | --user | --root)
      [ $# -ge 2 ] || { usage >&2; exit 2; }
      case $1 in --from) from=$2 ;; --user) person=$2 ;; --root) root=${2%/} ;; esac
      shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "error: there is no option '$1'" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

fail() { # PROBLEM HINT
  printf 'error: %s\n  hint: %s\n' "$1" "$2" >&2
  exit 1
}

step() { printf '== %s\n' "$*"; }

run() { # runs a command, or prints it where this is only a rehearsal
  if [ "$dry" = yes ]; then printf '  %s\n' "$*"; else "$@"; fi
}

# --- what is this? -------------------------------------------------------------------------------

[ "$dry" = yes ] || [ -z "$root" ] || fail "--root is for --dry-run alone" "leave it out"
[ "$dry" = yes ] || [ "$(id -u)" = 0 ] || fail "this needs the rights of root" "sudo $0"
command -v dpkg >/dev/null 2>&1 ||
  fail "this is no Debian: there is no dpkg" "set the board up by hand: see devices/README.md"

codename='' name='this system'
if [ -r "$root/etc/os-release" ]; then
  codename=$(sed -n 's/^VERSION_CODENAME="\{0,1\}\([a-z]*\)"\{0,1\}$/\1/p' "$root/etc/os-release")
  name=$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$root/etc/os-release")
fi
bits=$(dpkg --print-architecture) # of the system: the kernel of a 32-bit one may have 64
machine=$(uname -m)
board=''
[ ! -r "$root/proc/device-tree/model" ] || board=$(tr -d '\0' <"$root/proc/device-tree/model")

case $codename in
  bookworm) glib=libglib2.0-0 ;;
  trixie) glib=libglib2.0-0t64 ;;
  *) fail "$name ($codename) is neither Bookworm nor Trixie" \
    "put the 64-bit Raspberry Pi OS on the card; older ones have too old a Python or C library" ;;
esac
case $bits in
  arm64 | amd64) engine=litert ;;
  armhf)
    [ "$machine" != armv6l ] || fail "no engine exists for the processor of this board (ARMv6)" \
      "use a Pi Zero 2 W, 3, 4 or 5"
    [ "$codename" = bookworm ] || fail "on a 32-bit Trixie no engine can be installed" \
      "put the 64-bit Raspberry Pi OS on the card: every board since the Pi 3 and Zero 2 W runs it"
    engine=tflite-runtime ;;
  *) fail "no engine is known for $bits" "edgecls runs on arm64, amd64 and armhf" ;;
esac

printf '%s, %s (%s)%s\n' "${board:-a board without a name}" "$name" "$bits" \
  "$([ "$dry" = no ] || echo ': a rehearsal, nothing is done')"
if [ "$engine" = tflite-runtime ]; then
  echo "a 32-bit system: tflite-runtime, int8 about ten times slower than on the 64-bit one" >&2
fi

# --- packages ------------------------------------------------------------------------------------

is_installed() { # PACKAGE
  [ "$dry" = no ] || [ -z "$root" ] || return 1
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

is_offered() { # PACKAGE: does this system's package manager have it?
  apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

step "packages of the system"
# OpenCV's wheel leaves libGL and glib to the system, also where no window is ever opened.
wanted="python3-venv libgl1 $glib"
[ "$engine" = litert ] || wanted="$wanted python3-numpy python3-opencv"
case $board in "Raspberry Pi "*) ;; *) picamera=no ;; esac
[ "$picamera" = no ] || wanted="$wanted python3-picamera2"
missing=''
for package in $wanted; do is_installed "$package" || missing="$missing $package"; done
[ -z "$missing" ] || run apt-get -q update
case $missing in
  *python3-picamera2*)
    if ! is_offered python3-picamera2; then
      echo "no package python3-picamera2: ribbon cameras need Raspberry Pi OS; USB cameras work" >&2
      missing=$(echo "$missing" | sed 's/ python3-picamera2//')
      picamera=no
    fi ;;
esac
# shellcheck disable=SC2086  # a list
[ -z "$missing" ] ||
  run env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing
# picamera2, and on a 32-bit system numpy and OpenCV, are the system's: pip has none that fit.
sees_system=no
if [ "$picamera" = yes ] || [ "$engine" != litert ]; then sees_system=yes; fi

# --- users, groups, folders ----------------------------------------------------------------------

has_group() { # GROUP
  if [ -n "$root" ]; then grep -q "^$1:" "$root/etc/group"; else getent group "$1" >/dev/null; fi
}

has_user() { # USER
  if [ -n "$root" ]; then grep -q "^$1:" "$root/etc/passwd"; else getent passwd "$1" >/dev/null; fi
}

join() { # USER GROUP...: groups that it is not in yet
  user=$1 new=''
  shift
  for group in "$@"; do
    case " $(id -nG "$user" 2>/dev/null || true) " in
      *" $group "*) ;;
      *) new="$new${new:+,}$group" ;;
    esac
  done
  [ -z "$new" ] || run usermod -a -G "$new" "$user"
}

step "users and groups"
for group in video plugdev edgecls; do has_group "$group" || run groupadd --system "$group"; done
has_user edgecls || run useradd --system --gid edgecls --home-dir /var/lib/edgecls \
  --no-create-home --shell /usr/sbin/nologin edgecls
join edgecls video plugdev
if [ -n "$person" ] && [ "$person" != root ]; then join "$person" video plugdev edgecls; fi

make_folder() { # MODE OWNER GROUP FOLDER: a folder that is there keeps its content
  if [ -n "$root" ] || [ "$(stat -c '%a %U %G' "$4" 2>/dev/null)" != "$1 $2 $3" ]; then
    run install -d -m "$1" -o "$2" -g "$3" "$4"
  fi
}

models=/var/lib/edgecls

mend_models() { # of an earlier set-up the folder was the service's, which could plant links in it
  echo "$models was the service's: it is taken from it, and what the service wrote goes to $models/state" >&2
  [ "$dry" = yes ] || [ ! -d /run/systemd/system ] || systemctl stop edgecls-camera.service || true
  # First the door, then the room: from here on nobody but root puts a name there.
  run chown root:root "$models"
  run chmod 00755 "$models" # with fewer digits the folder would keep its setgid
  [ "$dry" = no ] || return 0
  if [ -L "$models/state" ] || [ ! -d "$models/state" ]; then rm -rf "$models/state"; fi
  install -d -m 2750 -o edgecls -g edgecls "$models/state"
  work=$(mktemp -d "$models/.setup-XXXXXX")
  for path in "$models"/* "$models"/.[!.]*; do
    name=${path##*/}
    [ -e "$path" ] || [ -L "$path" ] || continue
    case $name in
      state | "${work##*/}") ;;
      .lock-of-deploy | .deploy-*) rm -rf "$path" ;;
      model.tflite | model.tflite.[12] | model.tflite.undone | .model.tflite.before)
        if [ "$(stat -c '%F %h' "$path")" = "regular file 1" ]; then
          # A copy: whoever had the file open for writing has the old one.
          cp --no-preserve=all "$path" "$work/$name"
          chmod 644 "$work/$name"
          chown "$keeper" "$work/$name"
          mv -T "$work/$name" "$path"
        else
          mv -n -T "$path" "$models/state/$name"
        fi ;;
      *) mv -n -T "$path" "$models/state/$name" ;;
    esac
  done
  rmdir "$work"
}

step "folders"
make_folder 755 root root /opt/edgecls
make_folder 755 root root /etc/edgecls
# The models' folder belongs to who brings them, never to the service. Whom it belongs to already, it stays.
keeper=${person:-root}
case $(stat -L -c '%U %A' "$root$models" 2>/dev/null || true) in
  '') run install -d -m 755 -o "$keeper" -g root "$models" ;;
  edgecls\ * | *\ d????w* | *\ d???????w*)
    mend_models
    run chown "$keeper" "$models" ;;
esac
if [ -z "$root" ] && [ -r /etc/edgecls/camera.env ] && grep -v '^ *#' /etc/edgecls/camera.env |
  grep -o "$models/[^ \"']*" | grep -qv -e "^$models/state" -e "^$models/model.tflite"; then
  echo "/etc/edgecls/camera.env: the service can write below $models/state only; change the paths there" >&2
fi

# --- the environment -----------------------------------------------------------------------------

venv=/opt/edgecls/venv
step "environment $venv"
setting=$(sed -n 's/^include-system-site-packages = //p' "$root$venv/pyvenv.cfg" 2>/dev/null || true)
flag=''
want=false
if [ "$sees_system" = yes ]; then flag=--system-site-packages want=true; fi
# After an upgrade of the system the environment is of another Python, and nothing in it runs.
works=no
if [ -z "$root" ] && "$venv/bin/edgecls" --version >/dev/null 2>&1; then works=yes; fi
# Made anew over what is there: also when it should see the system's packages and does not, or the reverse.
# shellcheck disable=SC2086  # empty or one word
[ "$setting $works" = "$want yes" ] || run python3 -m venv $flag "$venv"

# The system's picamera2 of Bookworm is built for numpy 1, which OpenCV's wheels take up to 4.11.
limits=''
[ "$picamera" = no ] || [ "$codename" = trixie ] || limits='numpy<2 opencv-python<4.12'

fingerprint() { # of what is to be installed, to leave alone what is installed already
  {
    echo "$engine $limits $sees_system"
    if [ -f "$from" ]; then
      cat "$from"
    elif [ -d "$from" ]; then
      cd "$from" && find edgecls/ pyproject.toml -name __pycache__ -prune -o -name '*.py[oc]' -prune \
        -o \( -type f -o -type l \) -print | sort | while read -r file; do sha256sum "$file"; done
    else
      echo "$from $(date +%s)" # a name: there may be a newer one every day
    fi
  } | sha256sum | cut -d ' ' -f 1
}

[ -n "$from" ] || from=$checkout
[ -e "$from" ] || case $from in
  */* | *.whl) fail "there is no $from" "give a wheel, a checkout or a name: --from FILE.whl" ;;
esac
[ ! -d "$from" ] || [ -f "$from/pyproject.toml" ] ||
  fail "$from is no checkout of edgecls" "say what to install: --from FILE.whl"
stamp=$(fingerprint)
pip="$venv/bin/python -m pip --disable-pip-version-check -q"
if [ "$works" = no ] || [ "$(cat /opt/edgecls/installed 2>/dev/null)" != "$stamp" ]; then
  run rm -f /opt/edgecls/installed
  what=$from
  if [ -d "$from" ]; then # from a copy: pip would leave files of root in the checkout
    work=/tmp/edgecls-setup
    [ "$dry" = yes ] || { work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT; }
    run mkdir -p "$work/source"
    run cp -RL "$from/edgecls" "$from/pyproject.toml" "$from/README.md" "$from/LICENSE" "$work/source"
    run $pip wheel --no-deps --wheel-dir "$work" "$work/source"
    what=$(echo "$work"/edgecls-*.whl)
  fi
  # pip takes an edgecls of the same version for up to date: what is ours is put in by force.
  # shellcheck disable=SC2086  # lists
  if [ "$engine" = litert ]; then
    run $pip install $limits 'paho-mqtt>=2' "$what"
  else
    run $pip install 'typer<0.29' 'paho-mqtt>=2' 'tflite-runtime>=2.14' 'numpy<2'
  fi
  run $pip install --force-reinstall --no-deps "$what"
  [ "$dry" = yes ] || echo "$stamp" >/opt/edgecls/installed
fi
if [ -n "$root" ] || [ "$(readlink /usr/local/bin/edgecls || true)" != "$venv/bin/edgecls" ]; then
  run ln -sfn "$venv/bin/edgecls" /usr/local/bin/edgecls
fi

# --- devices and the service ---------------------------------------------------------------------

changed=no
put() { # MODE GROUP FILE PLACE: only when it differs
  changed=no
  if [ -n "$root" ] || ! cmp -s "$3" "$4"; then
    changed=yes
    run install -D -m "$1" -o root -g "$2" "$3" "$4"
  fi
}

step "devices"
put 644 root "$here/70-edgecls.rules" /etc/udev/rules.d/70-edgecls.rules
if [ "$changed" = yes ]; then
  if [ "$dry" = yes ] || { command -v udevadm >/dev/null && [ -S /run/udev/control ]; }; then
    run udevadm control --reload-rules
    run udevadm trigger --subsystem-match=video4linux --subsystem-match=media --subsystem-match=usb
  else
    echo "udev does not run here: its rules count from the next start on" >&2
  fi
fi

model=$models/model.tflite
unit=edgecls-camera.service
if [ "$service" = yes ] && [ -f "$here/$unit" ]; then
  step "service $unit"
  if [ -n "$root" ] || [ ! -e /etc/edgecls/camera.env ]; then
    run install -m 640 -o root -g edgecls "$here/camera.env" /etc/edgecls/camera.env
  fi
  if [ "$dry" = yes ] || command -v visudo >/dev/null; then
    run visudo -q -c -f "$here/edgecls-camera.sudoers"
    put 440 root "$here/edgecls-camera.sudoers" /etc/sudoers.d/edgecls
  else
    echo "no sudo here: only root can restart the service, so deploy as root" >&2
  fi
  put 644 root "$here/$unit" "/etc/systemd/system/$unit"
  if [ "$dry" = yes ] || [ -d /run/systemd/system ]; then
    [ "$changed" = no ] || run systemctl daemon-reload
    run systemctl --quiet enable "$unit"
    if [ -e "$root$model" ]; then run systemctl restart "$unit"; fi
  else
    echo "systemd does not run here: 'systemctl enable --now $unit' starts the service" >&2
  fi
fi

# --- done ----------------------------------------------------------------------------------------

step "done"
[ -e "$root$model" ] || echo "no model yet: 'edgecls deploy $(uname -n) --model model.tflite', or put one at $model"
[ -z "$person" ] || [ "$person" = root ] || echo "log out and in again, so that the groups of $person count"
echo "see what is still missing: edgecls doctor"
