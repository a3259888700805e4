#!/usr/bin/env bash
# Installs what ichdet needs on Debian 12 or Ubuntu 24.04, and nothing that is there already.
#
#   tools/setup.sh build   system packages, .venv with torch        (what `make` needs), OpenVINO where it can be had
#   tools/setup.sh test    also the judges and .venv-oracles        (what `make test` needs)
#   tools/setup.sh bench   also Google Benchmark and DCMTK          (what `make bench` needs)
#   tools/setup.sh dev     also clang-format and clang-tidy         (what `make tidy` and `make format` need)
#
# TORCH_INDEX=address   Python index to take torch from, where the default one would serve a CUDA build
# ICHDET_SKIP_APT=1     leave system packages alone: you have installed them in another way
set -euo pipefail
cd "$(dirname "$0")/.."
level=${1:-build}

say() { printf '[setup] %s\n' "$*"; }
die() { printf '[setup] error: %s\n' "$1" >&2; shift; for line in "$@"; do printf '[setup]   %s\n' "$line" >&2; done; exit 1; }

build_packages=(build-essential cmake ninja-build ccache python3 python3-venv python3-dev libgdcm-dev libeigen3-dev
  libxtensor-dev libxsimd-dev doctest-dev libcli11-dev nlohmann-json3-dev libpng-dev
  zlib1g-dev libcurl4-openssl-dev libssl-dev libyaml-cpp-dev)
test_packages=(dicom3tools dcmtk)
bench_packages=(libbenchmark-dev libdcmtk-dev)
dev_packages=(clang-format clang-tidy)

packages=("${build_packages[@]}")
case $level in
  build) ;;
  test) packages+=("${test_packages[@]}") ;;
  bench) packages+=("${test_packages[@]}" "${bench_packages[@]}") ;;
  dev) packages+=("${dev_packages[@]}") ;;
  *) die "expected build, test, bench or dev, found '$level'" ;;
esac

system_packages() {
  [ "${ICHDET_SKIP_APT:-}" = 1 ] && return
  local missing=() package
  if command -v dpkg-query >/dev/null; then
    for package in "${packages[@]}"; do
      [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
  else
    missing=("${packages[@]}")
  fi
  [ ${#missing[@]} -eq 0 ] && return
  local by_hand="Install these by hand, then run make again: ${missing[*]}"
  command -v apt-get >/dev/null || die "this system has no apt-get; ichdet's set-up knows Debian 12 and Ubuntu 24.04." \
    "$by_hand" "(or their counterparts, with ICHDET_SKIP_APT=1)"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "system packages are missing, and this user is neither root nor has sudo." \
      "As root: apt-get install -y ${missing[*]}"
    as_root=(sudo)
  fi
  # env after sudo, since sudo drops variables that stand before it.
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get)
  say "installing with apt: ${missing[*]}"
  "${apt[@]}" update -qq </dev/null || say "apt-get update failed; going on with the package lists that are there"
  "${apt[@]}" install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null ||
    die "apt-get could not install them all (its own message is above)." "$by_hand"
}

# Whether $1's stamp says that it was made from these very inputs.
is_current() { [ -x "$1/bin/python" ] && [ "$(cat "$1/ichdet-setup.stamp" 2>/dev/null)" = "$2" ]; }
fingerprint() { { python3 --version; printf '%s\n' "${TORCH_INDEX:-}"; cat "$@"; } | sha256sum | cut -d' ' -f1; }
pip_in() { local venv=$1; shift; "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@" </dev/null; }

new_venv() {
  [ -x "$1/bin/python" ] || python3 -m venv "$1" ||
    die "python3 -m venv $1 failed." "On Debian and Ubuntu it comes with the package python3-venv."
}

build_venv() {
  local stamp
  stamp=$(fingerprint requirements/constraints.txt requirements/build.txt)
  is_current .venv "$stamp" && return
  say "making .venv (torch is large: minutes, and about 1 GB)"
  new_venv .venv
  pip_in .venv install -q -c requirements/constraints.txt -r requirements/build.txt ||
    die "pip could not install requirements/build.txt (its own message is above)." "Is a Python index reachable?"
  local index=()
  [ -n "${TORCH_INDEX:-}" ] && index=(--index-url "$TORCH_INDEX")
  pip_in .venv install -q "${index[@]}" -r requirements/constraints.txt ||
    die "pip could not install $(tail -n1 requirements/constraints.txt) for $(python3 --version)." \
      "TORCH_INDEX=address names another Python index to take it from, for example PyTorch's own index of CPU builds."
  local cuda
  cuda=$(.venv/bin/python -c 'import torch; print(torch.version.cuda or "")') ||
    die "torch was installed but does not import (its own message is above)."
  if [ -n "$cuda" ]; then
    say "note: this torch is a build for CUDA $cuda, several GB larger than needed: ichdet runs on the CPU." \
      "For a CPU build: rm -rf .venv && make setup TORCH_INDEX=address-of-a-CPU-index"
  fi
  printf '%s\n' "$stamp" >.venv/ichdet-setup.stamp
}

# Optional: without it ichdet is built without OpenVINO's plug-in, and LibTorch runs everything.
openvino_package() {
  local stamp=.venv/ichdet-openvino.stamp wanted
  wanted=$(fingerprint requirements/openvino.txt)
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
  say "adding OpenVINO to .venv (about 60 MB to download)"
  if pip_in .venv install -q --no-deps -r requirements/openvino.txt; then
    printf '%s\n' "$wanted" >"$stamp"
  else
    say "OpenVINO could not be installed (pip's own message is above); going on without it"
  fi
}

oracles_venv() {
  local stamp
  stamp=$(fingerprint requirements/constraints.txt requirements/build.txt requirements/oracles.txt)
  is_current .venv-oracles "$stamp" && return
  say "making .venv-oracles (reference implementations for the parity tests, about 700 MB)"
  new_venv .venv-oracles
  # Sees .venv's packages, so that torch is not installed twice.
  .venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
    >"$(.venv-oracles/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/base.pth"
  pip_in .venv-oracles install -q --no-deps -r requirements/oracles.txt ||
    die "pip could not install requirements/oracles.txt (its own message is above)."
  printf '%s\n' "$stamp" >.venv-oracles/ichdet-setup.stamp
}

system_packages
build_venv
openvino_package
case $level in test | bench) oracles_venv ;; esac
say "ready ($level)"
