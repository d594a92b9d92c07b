package rollkeeper

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

const (
	manyThreads = 3
	manyWorkers = 16
	manyUsers   = 300
)

// counting is a target that counts. Its first calls wait until as many are inside as there are workers.
type counting struct {
	UnsupportedConnector
	mutex    sync.Mutex
	came     int
	all      chan struct{}
	accounts map[string]bool
	calls    map[string]int
}

func (c *counting) Capabilities() Capabilities { return Capabilities{} }

func (c *counting) count(call, name string, active bool) error {
	c.mutex.Lock()
	if c.came++; c.came == manyWorkers {
		close(c.all)
	}
	c.mutex.Unlock()
	select {
	case <-c.all:
	case <-time.After(time.Minute):
		return fmt.Errorf("fewer than %d calls at the same time", manyWorkers)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.calls[call+" "+name]++
	c.accounts[name] = active
	return nil
}

func shownAccount(name string, active bool) *TargetAccount {
	return &TargetAccount{ExternalID: name, Username: name, Active: active, Attributes: map[string]any{"userName": name}}
}

func (c *counting) Read(externalID string) (*TargetAccount, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if active, ok := c.accounts[externalID]; ok {
		return shownAccount(externalID, active), nil
	}
	return nil, nil
}

func (c *counting) Create(attributes map[string]any, _ string) (*TargetAccount, error) {
	name, _ := attributes["userName"].(string)
	return shownAccount(name, true), c.count("create", name, true)
}

func (c *counting) Deactivate(externalID string) error {
	return c.count("deactivate", externalID, false)
}

// putAndRun puts a share of the users, and runs.
func putAndRun(engine *Engine, share int, active bool) error {
	var users []map[string]any
	for number := share; number < manyUsers; number += manyThreads {
		name := fmt.Sprintf("u%d", number)
		users = append(users, map[string]any{"id": name, "username": name, "profile": "Staff", "active": active})
	}
	if _, err := engine.PutUsers(users, ""); err != nil {
		return err
	}
	_, err := engine.Run(context.Background(), RunOptions{Workers: manyWorkers})
	return err
}

func TestThreeThreadsWithSixteenWorkersEachDoEverythingOnce(t *testing.T) {
	engine := open(t, t.TempDir()+"/state.db", Options{})
	target := &counting{all: make(chan struct{}), accounts: map[string]bool{}, calls: map[string]int{}}
	must(t, engine.RegisterConnector("counting", target))
	_, err := engine.PutApp(`{"id": "crm", "connector": {"kind": "custom", "name": "counting"},
		"assigned_to": {"profiles": ["Staff"]}, "create_without_match": true, "rate": {"concurrency": 16},
		"mapping": [{"target": "userName", "source": "username"}]}`, "")
	must(t, err)
	for _, active := range []bool{true, false} {
		failures := make(chan error, manyThreads)
		for share := range manyThreads {
			go func() { failures <- putAndRun(engine, share, active) }()
		}
		for range manyThreads {
			must(t, <-failures)
		}
	}
	if len(target.calls) != 2*manyUsers {
		t.Errorf("%d calls of %d", len(target.calls), 2*manyUsers)
	}
	for call, count := range target.calls {
		if count != 1 {
			t.Errorf("%s: %d times", call, count)
		}
	}
	requests, err := collect(engine.Requests(RequestFilter{State: Completed}))
	must(t, err)
	if len(requests) != 2*manyUsers {
		t.Errorf("%d requests are completed", len(requests))
	}
}
