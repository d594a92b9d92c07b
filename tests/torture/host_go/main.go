// The host of the torture in Go: opens the file, puts users, runs and is killed, as life.py says. What it is told and what
// it says are the same lines of JSON as those of host.py and host.c.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	rollkeeper "github.com/rollkeeper/rollkeeper/ffi/go"
)

// story is what one life of the host is told.
type story struct {
	App    json.RawMessage   `json:"app"`
	Users  []json.RawMessage `json:"users"`
	Die    death             `json:"die"`
	LookUp bool              `json:"look_up"`
	Finish int               `json:"finish"`
	Life   int               `json:"life"`
}

func main() {
	heard := bufio.NewReader(os.Stdin)
	line, err := heard.ReadBytes('\n')
	must(err)
	var told story
	must(json.Unmarshal(line, &told))
	engine, err := rollkeeper.Open(os.Args[1], rollkeeper.Options{WithoutLookUp: !told.LookUp})
	must(err)
	defer engine.Close()
	must(engine.RegisterConnector("target", &target{port: os.Args[2], die: told.Die, life: told.Life}))
	_, err = engine.PutApp(told.App, "torture")
	must(err)
	say("opened", requests(engine, rollkeeper.RequestFilter{State: "Requested"}))
	if len(told.Users) > 0 {
		result, err := engine.PutUsers(told.Users, "torture")
		must(err)
		say("acknowledged", result.Raw)
	}
	if told.Finish > 0 {
		run(engine, time.Duration(told.Finish)*time.Second)
		verdict, err := engine.VerifyLog()
		must(err)
		say("log", verdict.Raw)
		say("finished", requests(engine, rollkeeper.RequestFilter{}))
		return
	}
	run(engine, 0)
	say("idle", true)
	_, _ = heard.ReadBytes('\n') // nothing left to do: waits here to be killed
}

func run(engine *rollkeeper.Engine, timeout time.Duration) {
	_, err := engine.Run(context.Background(), rollkeeper.RunOptions{Workers: 2, Timeout: timeout})
	must(err)
}

// requests are the records as the library gives them.
func requests(engine *rollkeeper.Engine, filter rollkeeper.RequestFilter) []json.RawMessage {
	records := []json.RawMessage{}
	for request, err := range engine.Requests(filter) {
		must(err)
		records = append(records, request.Raw)
	}
	return records
}

// say writes one line for the parent.
func say(what string, value any) {
	text, err := json.Marshal(map[string]any{what: value})
	must(err)
	_, err = fmt.Printf("%s\n", text)
	must(err)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
