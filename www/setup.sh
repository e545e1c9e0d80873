# Sourced by www/start, www/build-wasm and tests/run: what is missing is installed, and said.
# Cargo's tools go into .tools of the checkout: another project may want other versions of the same names.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH="$checkout/.tools/bin:$PATH"
wasm_target=wasm32-unknown-unknown

say() { printf '\033[1m%s\033[0m\n' "$*"; }
fail() { echo "$*" >&2; exit 1; }

# need_command NAME WHERE_FROM
need_command() {
  command -v "$1" >/dev/null || fail "$1 is missing: install $2, then run this again."
}

need_wasm_target() {
  [ -d "$(rustc --print target-libdir --target $wasm_target)" ] && return
  command -v rustup >/dev/null || fail "Rust's target $wasm_target is missing, and there is no rustup to add it."
  say "Installing Rust's target $wasm_target (rustup target add)"
  rustup target add $wasm_target
}

# need_cargo_tool COMMAND CRATE VERSION: any version will do where VERSION is empty.
need_cargo_tool() {
  case "$("$1" --version 2>/dev/null)" in *" $3"*) return ;; esac
  say "Installing $2 $3 into .tools (cargo install; a few minutes, once)"
  cargo install "$2" ${3:+--version "$3"} --root "$checkout/.tools" --target-dir "$checkout/target/tools"
}

# The command-line tool has to be of the crate's very version.
need_wasm_bindgen() {
  need_cargo_tool wasm-bindgen wasm-bindgen-cli \
    "$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p}' "$checkout/Cargo.lock")"
}

# need_node_packages FOLDER: what its lock file says, unless it is there already.
need_node_packages() (
  cd "$checkout/$1"
  cmp -s package-lock.json node_modules/.installed-lock.json && return
  say "Installing the Node packages of $1 (npm ci)"
  npm ci
  cp package-lock.json node_modules/.installed-lock.json
)
