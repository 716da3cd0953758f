#!/bin/sh
# user.sh CPU COMMAND...: runs `python3 ...` or `edgecls ...` as on a Raspberry Pi, in the system that
# root.py made. CPU: cortex-a53 (Pi Zero 2 W, Pi 3), cortex-a72 (Pi 4), cortex-a76 (Pi 5).
# EDGECLS_PLUGIN: a plugin for QEMU, with its options.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=$here/../../.emulator
[ $# -ge 2 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
cpu=$1 command=$2
shift 2
view=$place/boards/$cpu root=$place/root
[ -d "$view" ] || { echo "error: no board $cpu in .emulator: run python devices/emulator/root.py" >&2; exit 2; }
case $command in
  python3) ;;
  edgecls) set -- -m edgecls "$@" ;;
  *) echo "error: $command does not run here, python3 and edgecls do" >&2; exit 2 ;;
esac
exec env -u LD_LIBRARY_PATH -u LD_PRELOAD qemu-aarch64 -cpu "$cpu" -L "$view" -0 "$view/python3" \
  ${EDGECLS_PLUGIN:+-plugin "$EDGECLS_PLUGIN"} \
  -E PYTHONHOME="$root/usr" -E PYTHONPATH="$root/opt/edgecls:$root/opt/tools" \
  -E PYTHONHASHSEED=0 -E OPENBLAS_NUM_THREADS=1 "$root/usr/bin/python3" "$@"
