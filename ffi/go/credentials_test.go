package rollkeeper

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
)

func TestASecretIsStoredUnderAKeyAloneAndTheKeyCanBeChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	old, new := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	engine := open(t, path, Options{})
	if err := engine.SetSecret("crm", "token", "planted", ""); !errors.Is(err, ErrKeyRequired) {
		t.Fatal(err)
	}
	must(t, engine.RotateKey(nil, old, "ann"))
	must(t, engine.SetSecret("crm", "token", "planted", "ann"))
	must(t, engine.RotateKey(old, new, ""))
	if err := engine.RotateKey(new, []byte("short"), ""); !errors.Is(err, ErrInvalidArgument) {
		t.Fatal(err)
	}
	must(t, engine.Close())
	if _, err := Open(path, Options{Key: old}); !errors.Is(err, ErrKeyMissing) {
		t.Fatal(err)
	}
	engine = open(t, path, Options{Key: new})
	_, err := engine.PutApp(`{"id": "crm", "enabled": false, "connector": {"kind": "scim", "base_url": "https://crm.example.com",
		"auth": {"kind": "bearer", "token": {"sealed": "token"}}}}`, "")
	must(t, err)
	known, err := engine.Credentials("crm")
	must(t, err)
	if known.Kind != "bearer" || !known.Ready || len(known.Secrets) != 1 || known.Secrets[0].SetAt == nil {
		t.Fatalf("%s", known.Raw)
	}
	must(t, engine.SetSecret("crm", "token", "", ""))
	if known, err = engine.Credentials("crm"); err != nil || known.Ready {
		t.Fatalf("%s %v", known.Raw, err)
	}
}
