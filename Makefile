# Thin: each target is a line or a few. Everything that is installed goes into .build/, which git ignores.
comma := ,
.PHONY: demo test test-long check bench torture fuzz go readme simulate

demo:                   # joiners, movers, leavers and what somebody did by hand, in two real SCIM servers and a Python connector
	tests/servers/install.sh
	python/build.sh install
	.build/python/bin/python tests/demo/demo.py

test: export CARGO_TERM_COLOR = never
test:                   # every test in every language
	tests/all.sh

test-long:              # the heavy tests in one place, for a night: core/docs/testing.md
	tests/servers/install.sh
	tests/servers/keycloak.sh
	cargo build --release --locked -p rollkeeper-tests --bin simulate
	target/release/simulate --seeds 100000
	target/release/simulate --seeds 100000 --wide 1
	target/release/simulate --every 1
	ROLLKEEPER_KEYCLOAK=1 ROLLKEEPER_PEOPLE=1000 SNAPSHOT_COMPANIES=1000 ORACLE_STORIES=2000 cargo test --release --workspace --exclude rollkeeper-python --locked --test bad_snapshots --test real_servers --test reconciliation_oracle -- --nocapture
	ROLLKEEPER_USERS=50000 ROLLKEEPER_UPDATES=10000 cargo test --release --workspace --exclude rollkeeper-python --locked --test engine -- --nocapture poison:: leavers::
	ROLLKEEPER_QUEUED=1000000 cargo test --release --locked -p rollkeeper --lib engine::cost -- --nocapture
	tests/threads/sanitize.sh
	$(MAKE) torture KILLS=10000

check:                  # format, lints, documentation; header, floors, words and documents are compared by tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

go:
	ffi/go/test.sh

bench:                  # ours beside the peers; ONLY=P7,P11 for some rows
	python/build.sh release
	tests/bench/install.sh
	cargo build --release --locked -p rollkeeper-tests
	tests/bench/build.sh
	ROLLKEEPER_PYTHON=.build/release/bin/python .build/release/bin/python tests/bench/bench.py $(if $(ONLY),--only $(ONLY))

torture:                # kill -9 against hosts in Python, C and Go; KILLS=n in all
	python/build.sh install
	tests/torture/build.sh
	.build/python/bin/python tests/torture/torture.py --kills $(or $(KILLS),300)
	.build/python/bin/python tests/torture/reconciliation.py --every

simulate:               # stories in simulated worlds; SEEDS=n, or SEED=7 to read one; WIDE=1; EVERY=10 for a tenth of the mishaps in small ones
	cargo build --release --locked -p rollkeeper-tests --bin simulate
	target/release/simulate $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),20000)) $(if $(WIDE),--wide 1)
	$(if $(SEED)$(WIDE),,target/release/simulate --every $(or $(EVERY),1))

fuzz:                   # every fuzz target for TIME seconds; ONLY=path,filter for some of them
	fuzz/run.sh $(or $(TIME),60) $(subst $(comma), ,$(ONLY))
