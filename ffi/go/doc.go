// Package rollkeeper is an embeddable user-provisioning engine: it compares a directory of users with the apps they are
// entitled to, and creates, updates and disables their accounts there. The package is a thin layer over the C interface
// of the Rust library.
//
//	engine, err := rollkeeper.Open("state.db", rollkeeper.Options{})
//	if err != nil {
//		return err
//	}
//	defer engine.Close()
//	if _, err := engine.PutApp(app, "admin"); err != nil {
//		return err
//	}
//	if _, err := engine.PutUser(map[string]any{"id": "u1", "username": "amelie"}, "hr"); err != nil {
//		return err
//	}
//	progress, err := engine.Run(ctx, rollkeeper.RunOptions{Workers: 4})
//
// # Documents, records and errors
//
// Documents (apps, users, mappings, faults) are JSON text as string, []byte or [json.RawMessage], or any value that
// encoding/json can write. Records come as structs that also hold their JSON text in Raw. A failed call gives an
// [*Error]; compare it with the codes: errors.Is(err, rollkeeper.ErrNotFound). The parameter by says who asked for a
// change, as the host asserts; where it may be left out it is "".
//
// Options.Transport takes an HTTP client of your own, any [net/http.RoundTripper]; see [TransportError].
//
// An [Engine] may be used from any goroutine. Lists are iterators that read page by page.
//
// # How the library is found
//
// In this order of ease:
//
//   - In a clone, `make go` builds the static library into ffi/go/lib, where the package looks for it by itself.
//   - With the library elsewhere, CGO_LDFLAGS=-L/path/to/lib names its folder. A static library there makes a program
//     that needs nothing at run time; a shared one has to be found by the loader.
//   - Where the library is installed as a system package, `go build -tags rollkeeper_pkgconfig` asks pkg-config.
//
// The header is part of the package; CGO_CFLAGS is not needed.
package rollkeeper
