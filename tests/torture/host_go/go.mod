module github.com/rollkeeper/rollkeeper/tests/torture/host_go

go 1.23

require github.com/rollkeeper/rollkeeper/ffi/go v0.0.0

replace github.com/rollkeeper/rollkeeper/ffi/go => ../../../ffi/go
