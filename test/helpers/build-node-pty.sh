#!/bin/sh
# Compiles node-pty, which tests in a real terminal need. `npm ci` does not (allowScripts in package.json): who only runs kinwatch needs no
# compiler, and node-gyp would fetch headers from nodejs.org. The npm package "node" brings those of the very Node that runs here.
# Without a compiler nothing is done, and those tests say what they lack.
cd "$(dirname "$0")/../../node_modules/node-pty" || exit 0
[ -e build/Release/pty.node ] && exit 0
headers=$(ls -d "$PWD"/../node/node_modules/node-linux-*/)
for tool in python3 make g++; do command -v "$tool" >/dev/null || exit 0; done
npm_config_nodedir=$headers npm run --silent install >/dev/null || echo "node-pty could not be compiled" >&2
exit 0
