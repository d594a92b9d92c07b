module github.com/rollkeeper/rollkeeper/ffi/go

go 1.23
