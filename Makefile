# Thin: each target is a line or two. Everything that is installed goes into .build/, which git ignores.
.PHONY: demo test check bench torture go

demo:
	tests/servers/install.sh
	python/build.sh install
	.build/python/bin/python tests/demo/demo.py

test:
	tests/servers/install.sh
	cargo test --workspace --locked
	python/build.sh test
	tests/test-python.sh

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

torture:
	python/build.sh install
	.build/python/bin/python tests/torture/torture.py --kills $(or $(KILLS),200)
