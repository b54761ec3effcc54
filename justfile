# The one definition of each check: people, ./atoll test and CI all call these.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

# List what there is.
default:
    @just --list --unsorted

# All that is read rather than run; each fault is told, not only the first.
check:
    #!/usr/bin/env bash
    failed=()
    for one in format lint types imports migrations schema documents charts lock-current; do
        began=$SECONDS
        just "$one" && echo "$one: passed in $((SECONDS - began)) s" || failed+=("$one")
    done
    if [ "${#failed[@]}" -gt 0 ]; then echo "failed: ${failed[*]}"; exit 1; fi

# Code is laid out as the formatter would.
format:
    ruff format --check --quiet .

# Slips, complexity, docstrings, security smells.
lint:
    ruff check --quiet .

# Strict types, tests included.
types:
    mypy --no-error-summary .

# Who may import whom (.importlinter).
imports:
    lint-imports --no-logo > /dev/null || lint-imports --no-logo

# Tables and models agree; Django's own checks.
migrations:
    python manage.py makemigrations --check --dry-run
    python manage.py check --fail-level WARNING

# docs/openapi.yaml is what the code says, docs/cli.md what that says.
schema:
    python manage.py openapi --check
    python docs/cli.py --check

# Tables of docs/ are what the code says.
documents:
    python -m pytest -q -p no:randomly -p no:cacheprovider tests/architecture/test_documents.py > /dev/null \
        || { echo "run docs/sandboxes.py, docs/states.py, docs/events.py, docs/metrics.py, docs/cli.py and docs/roles.py"; exit 1; }

# Charts are well formed (with the lab's Helm).
charts:
    #!/usr/bin/env bash
    set -euo pipefail
    helm="$(python -m lab.build helm 2>/dev/null)/helm"
    for values in tests/charts/golden/*.values.yaml; do
        "$helm" lint --strict --quiet --values "$values" helm/virtual-cluster
    done
    "$helm" lint --strict --quiet helm/host
    "$helm" lint --strict --quiet --set publicUrl=https://atoll.example.com helm/atoll

# The hashed lists come from the .in files and the versions in them.
lock-current:
    #!/usr/bin/env bash
    set -euo pipefail
    for name in base dev; do
        while read -r wanted; do
            grep -qi "^${wanted//[-_]/[-_]}==" "requirements/$name.txt" \
                || { echo "requirements/$name.txt lacks $wanted: run 'just lock'"; exit 1; }
        done < <(sed -E 's/[#;].*//; s/[<>=[].*//; /^-r/d; s/ *$//; /^$/d' "requirements/$name.in")
    done

# Tests on SQLite; arguments go to pytest.
test *arguments:
    python -m pytest "$@"

# Tests that depend on the database, on PostgreSQL.
test-postgres *arguments:
    python -m tests.support.postgres python -m pytest tests/tenancy tests/portal tests/provisioner -m "not lab and not browser" "$@"

# Repair what a machine can: layout, imports, small slips.
fix:
    ruff check --quiet --fix .
    ruff format --quiet .

# Write docs/openapi.yaml anew, and docs/cli.md from it.
openapi:
    python manage.py openapi
    python docs/cli.py

# Write the hashed requirements anew from the .in files.
lock:
    uv pip compile --universal --generate-hashes --python-version 3.11 -q --no-header requirements/base.in -o requirements/base.txt
    uv pip compile --universal --generate-hashes --python-version 3.11 -q --no-header requirements/dev.in -o requirements/dev.txt

# A release's changes of the tables as SQL, for review.
sql migration:
    python manage.py sqlmigrate tenancy {{ migration }}
