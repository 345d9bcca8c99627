PYTHON  ?= python3
VENV    ?= .venv
WORKERS ?= auto
SECONDS ?= 60
PORT    ?= 8501
ADDRESS ?= 127.0.0.1
BIN      = $(VENV)/bin
# Files go to processes whole, since their tests share what is dear to make; WORKERS=0 runs all in this one.
PYTEST   = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# Tests start this program many times; modules that are compiled once save seconds at each start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test quick times fuzz lint clean

run: $(VENV)/.installed  ## open the dashboard
	$(BIN)/python -m core run --port $(PORT) --address $(ADDRESS)

test: lint  ## everything: lint, unit, pages, a real browser
	$(BIN)/python -m tests.browser.ensure_chromium
	$(PYTEST)

quick: $(VENV)/.installed-test  ## without the browser and the slow tests
	$(PYTEST) -m "not slow and not browser"

times: $(VENV)/.installed-test  ## everything, and where the time went
	$(PYTEST) --durations 40

fuzz: $(VENV)/.installed-test  ## damaged files for every reader, as long as SECONDS says
	$(BIN)/python -m tests.fuzz $(SECONDS)

lint: $(VENV)/.installed-test  ## style, then types
	$(BIN)/ruff check .
	$(BIN)/mypy --num-workers auto

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tailscope needs Python 3.11 or newer; name one with: make run PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV): about 5.5 GB on Linux (PyTorch brings its CUDA libraries), 1.5 GB on macOS; one to three minutes on a fast line."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-test: requirements-test.txt $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps torchattacks==3.5.1
	@touch $@

bench-gpu: $(VENV)/.installed  ## every check that needs a graphics card, about ten minutes; without one each row says so
	$(BIN)/python -m core bench --gpu

clean:
	rm -rf $(VENV) cache/data
