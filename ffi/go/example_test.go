package rollkeeper_test

import (
	"context"
	"fmt"
	"log"

	rollkeeper "github.com/rollkeeper/rollkeeper/ffi/go"
)

// A first program: one app, one user, and everything that is due.
func Example() {
	engine, err := rollkeeper.Open("", rollkeeper.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	app := `{"id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Nurses"]},
		"mapping": [{"target": "userName", "source": "username"}], "create_without_match": true}`
	if _, err := engine.PutApp(app, "admin"); err != nil {
		log.Fatal(err)
	}
	user := map[string]any{"id": "u1", "username": "amelie", "profile": "Nurses"}
	if _, err := engine.PutUser(user, "hr"); err != nil {
		log.Fatal(err)
	}
	progress, err := engine.Run(context.Background(), rollkeeper.RunOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(progress.Completed, "completed,", progress.Open, "open")
	// Output: 1 completed, 0 open
}
