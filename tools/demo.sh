#!/usr/bin/env bash
# tools/demo.sh ICHDET: makes a phantom study (or takes $STUDY), gets weights where none came with ichdet, detects, compares with what was put in.
set -euo pipefail
cd "$(dirname "$0")/.."
ichdet=$1
bundle=blast-ct-v1
[ -e bundles/ichdet/ensemble.yaml ] && bundle=ichdet
say() { printf '[demo] %s\n' "$*"; }

if [ -n "${STUDY:-}" ]; then
  study=$STUDY
  [ -e "$study" ] || { say "error: STUDY=$study: no such file or folder" >&2; exit 3; }
else
  say "a head CT with a hemorrhage, made by ichdet itself (a phantom, not a patient)"
  rm -rf demo/phantom
  "$ichdet" phantom --out demo/phantom
  study=demo/phantom/dicom
fi

get_weights() {
  if [ -z "${ICHDET_MODEL_MIRROR:-}" ] && [ -d ../shared/data/blast_ct_v1 ]; then
    ICHDET_MODEL_MIRROR=$(realpath ../shared/data)
    export ICHDET_MODEL_MIRROR
  fi
  say "the weights of $bundle${ICHDET_MODEL_MIRROR:+ (mirror: $ICHDET_MODEL_MIRROR)}"
  "$ichdet" models get "$bundle" || {
    code=$?
    say "The demo stops here: the weights of $bundle could not be had (the reason is above)." >&2
    say "With internet access, run \`make demo\` again. Without it, copy the files that \`$ichdet models show $bundle\`" >&2
    say "names to a folder and run \`ICHDET_MODEL_MIRROR=that-folder make demo\`." >&2
    exit $code
  }
}
if [ "$bundle" = ichdet ]; then
  say "the bundle that comes with ichdet: $PWD/bundles/ichdet"
else
  get_weights
fi

say "detecting"
rm -rf demo/result
"$ichdet" detect "$study" --out demo/result --bundle "$bundle"
if [ -z "${STUDY:-}" ]; then
  python3 tools/compare_demo.py demo/result/result.json demo/phantom/truth.json
fi
say "picture: $PWD/demo/result/sheet.png"
