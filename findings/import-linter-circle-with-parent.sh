#!/usr/bin/env bash
# import-linter 2.17: `acyclic_siblings` keeps a circle between a package and a module inside it.
#
# Expected: a package whose contract says that it has no cycles has none between its files. Seen: the contract compares
# siblings; an __init__ that imports a module which imports the package again is one circle of two files, and is kept.
# For a user: ask the import graph itself (grimp, which import-linter builds on) for chains back.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv environment
environment/bin/pip install --quiet --disable-pip-version-check import-linter==2.17 grimp==3.20
environment/bin/pip list 2>/dev/null | grep -E '^(import-linter|grimp) '

mkdir shop
echo 'from shop.prices import PRICES' >shop/__init__.py
printf 'PRICES = {}\n\n\ndef total():\n    from shop import PRICES\n\n    return sum(PRICES.values())\n' >shop/prices.py
cat >.importlinter <<'INI'
[importlinter]
root_package = shop

[importlinter:contract:circles]
name = No circle
type = acyclic_siblings
ancestors =
    shop
INI
export PYTHONPATH=.
environment/bin/python - <<'PY'
import grimp

graph = grimp.build_graph("shop", cache_dir=None)
assert graph.chain_exists("shop", "shop.prices") and graph.chain_exists("shop.prices", "shop")
print("grimp: shop -> shop.prices -> shop")
PY
if ! environment/bin/lint-imports --no-cache --no-logo >log 2>&1; then
    cat log
    echo "CHANGED: the contract finds the circle now"
    exit 1
fi
grep "No circle KEPT" log
