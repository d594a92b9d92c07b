package rollkeeper

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// memory is a connector with accounts in memory.
type memory struct {
	UnsupportedConnector
	mutex    sync.Mutex
	accounts map[string]TargetAccount
	last     int
	creates  int
	onCreate func()
}

func newMemory() *memory { return &memory{accounts: map[string]TargetAccount{}} }

func (m *memory) Capabilities() Capabilities {
	return Capabilities{Search: true, Freeze: true, UniqueKeys: []string{"userName"}}
}

func (m *memory) Test() error { return nil }

// at gives the value at a dotted path.
func at(attributes map[string]any, path string) any {
	name, rest, nested := strings.Cut(path, ".")
	if !nested {
		return attributes[name]
	}
	inner, _ := attributes[name].(map[string]any)
	return at(inner, rest)
}

func (m *memory) Find(attribute string, value any) ([]TargetAccount, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var found []TargetAccount
	for _, account := range m.accounts {
		if reflect.DeepEqual(at(account.Attributes, attribute), value) {
			found = append(found, account)
		}
	}
	return found, nil
}

func (m *memory) Read(externalID string) (*TargetAccount, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if account, ok := m.accounts[externalID]; ok {
		return &account, nil
	}
	return nil, nil
}

func (m *memory) Create(attributes map[string]any, _ string) (*TargetAccount, error) {
	if m.onCreate != nil {
		m.onCreate()
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.creates++
	username, _ := attributes["userName"].(string)
	for _, account := range m.accounts {
		if account.Username == username {
			return nil, &ConnectorError{Outcome: Conflict, Code: ErrConflict, Message: "the user name is taken"}
		}
	}
	m.last++
	account := TargetAccount{ExternalID: strconv.Itoa(m.last), Username: username, Active: true, Attributes: attributes}
	m.accounts[account.ExternalID] = account
	return &account, nil
}

// change alters an account or says that it is missing.
func (m *memory) change(externalID string, change func(account *TargetAccount)) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	account, ok := m.accounts[externalID]
	if !ok {
		return &ConnectorError{Outcome: Rejected, Code: ErrAccountMissing, Message: "there is no such account"}
	}
	change(&account)
	m.accounts[externalID] = account
	return nil
}

// put gives the attributes with one more value; what others may still hold is not changed.
func put(attributes map[string]any, path string, value any) map[string]any {
	copied := map[string]any{}
	for key, old := range attributes {
		copied[key] = old
	}
	name, rest, nested := strings.Cut(path, ".")
	switch {
	case nested:
		inner, _ := attributes[name].(map[string]any)
		copied[name] = put(inner, rest, value)
	case value == nil:
		delete(copied, name)
	default:
		copied[name] = value
	}
	return copied
}

func (m *memory) Update(externalID string, changes []Change, _ string) (*TargetAccount, error) {
	err := m.change(externalID, func(account *TargetAccount) {
		for _, change := range changes {
			account.Attributes = put(account.Attributes, change.Path, change.Value)
		}
		account.Username, _ = account.Attributes["userName"].(string)
	})
	return nil, err
}

func (m *memory) Activate(externalID string) error {
	return m.change(externalID, func(account *TargetAccount) { account.Active = true })
}

func (m *memory) Deactivate(externalID string) error {
	return m.change(externalID, func(account *TargetAccount) { account.Active = false })
}

func (m *memory) Freeze(externalID string) error {
	return m.change(externalID, func(account *TargetAccount) { account.Frozen = true })
}

func (m *memory) Unfreeze(externalID string) error {
	return m.change(externalID, func(account *TargetAccount) { account.Frozen = false })
}

func (m *memory) Delete(externalID string) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	delete(m.accounts, externalID)
	return nil
}

// List gives pages of three. The cursor is the number of accounts before it.
func (m *memory) List(cursor, _ string) (Page, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	start, err := strconv.Atoi("0" + cursor)
	if err != nil {
		return Page{}, fmt.Errorf("no cursor of ours: %w", err)
	}
	var ids []string
	for id := range m.accounts {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	page := Page{Complete: true}
	for index := start; index < len(ids); index++ {
		if index == start+3 {
			page.Next, page.Complete = strconv.Itoa(index), false
			break
		}
		page.Accounts = append(page.Accounts, m.accounts[ids[index]])
	}
	return page, nil
}
