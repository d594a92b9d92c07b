package main

import (
	"bufio"
	"encoding/json"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	rollkeeper "github.com/rollkeeper/rollkeeper/ffi/go"
)

// death is the boundary around the n-th create at which the host kills itself; the zero value is nowhere.
type death struct {
	At   string `json:"at"`
	Call int32  `json:"call"`
}

// target is the connector over the target's line protocol.
type target struct {
	rollkeeper.UnsupportedConnector
	port    string
	die     death
	life    int
	creates atomic.Int32
}

// account is an account as the target shows it.
type account struct {
	ID         string         `json:"id"`
	Active     bool           `json:"active"`
	Attributes map[string]any `json:"attributes"`
}

type question map[string]any

func (t *target) Capabilities() rollkeeper.Capabilities { return rollkeeper.Capabilities{Search: true} }

func (t *target) Find(attribute string, value any) ([]rollkeeper.TargetAccount, error) {
	shown, err := t.ask(question{"do": "find", "attribute": attribute, "value": value}, "")
	if err != nil {
		return nil, err
	}
	found := []rollkeeper.TargetAccount{}
	for _, one := range shown {
		found = append(found, *one.told())
	}
	return found, nil
}

func (t *target) Read(externalID string) (*rollkeeper.TargetAccount, error) {
	shown, err := t.ask(question{"do": "read", "id": externalID}, "")
	if err != nil || len(shown) == 0 {
		return nil, err
	}
	return shown[0].told(), nil
}

func (t *target) Create(attributes map[string]any, key string) (*rollkeeper.TargetAccount, error) {
	boundary := ""
	if t.creates.Add(1) == t.die.Call {
		boundary = t.die.At
	}
	shown, err := t.ask(t.signed(question{"do": "create", "attributes": attributes, "key": key}), boundary)
	if err != nil {
		return nil, err
	}
	return shown[0].told(), nil
}

func (t *target) Activate(externalID string) error { return t.setActive(externalID, true) }

func (t *target) Deactivate(externalID string) error { return t.setActive(externalID, false) }

func (t *target) setActive(externalID string, active bool) error {
	shown, err := t.ask(t.signed(question{"do": "set_active", "id": externalID, "active": active}), "")
	if err == nil && len(shown) == 0 {
		message := "there is no such account"
		return &rollkeeper.ConnectorError{Outcome: rollkeeper.Rejected, Code: rollkeeper.ErrAccountMissing, Message: message}
	}
	return err
}

// signed is a write with the life that sends it and the time; the target drops it once it is too old.
func (t *target) signed(write question) question {
	write["life"], write["sent"] = t.life, time.Now().UnixMicro()
	return write
}

// ask gives the accounts that the target answers with. It dies at the boundary, where one is given.
func (t *target) ask(asked question, boundary string) ([]account, error) {
	text, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	connection, err := net.Dial("tcp", "127.0.0.1:"+t.port)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	dieIf(boundary == "before_send")
	if _, err := connection.Write(append(text, '\n')); err != nil {
		return nil, err
	}
	dieIf(boundary == "on_its_way")
	answers := bufio.NewReader(connection)
	if boundary == "after_send" {
		_, _ = answers.Peek(1) // the target has done it or dropped it; what it says stays unread
		dieIf(true)
	}
	line, err := answers.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	dieIf(boundary == "before_settle")
	var answer struct {
		Accounts []account `json:"accounts"`
	}
	err = json.Unmarshal(line, &answer)
	return answer.Accounts, err
}

func dieIf(now bool) {
	if now {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	}
}

func (a account) told() *rollkeeper.TargetAccount {
	username, _ := a.Attributes["userName"].(string)
	return &rollkeeper.TargetAccount{ExternalID: a.ID, Username: username, Active: a.Active, Attributes: a.Attributes}
}
