package rollkeeper

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestATargetIsAskedAndAMappingProposedAndPut(t *testing.T) {
	engine, err := Open("", Options{})
	must(t, err)
	defer engine.Close()
	app := map[string]any{"id": "crm", "connector": map[string]any{"kind": "mock"}, "create_without_match": true, "update_on": []string{"sn"}}
	_, err = engine.PutApp(app, "")
	must(t, err)
	_, err = engine.PutUser(map[string]any{"id": "u1", "username": "ann", "sn": "Lee"}, "")
	must(t, err)
	target, err := engine.MockTarget("crm")
	must(t, err)
	must(t, target.SetSchema([]SchemaAttribute{{Path: "userName", Type: "string", Required: true}, {Path: "surname", Type: "string"}}))
	discovery, err := engine.Discover("crm")
	must(t, err)
	if discovery.Source != "connector" || !discovery.Complete || len(discovery.Attributes) != 2 || len(discovery.Broken) != 1 || discovery.DiscoveredAt.IsZero() {
		t.Errorf("gave %s", discovery.Raw)
	}
	suggestion, err := engine.SuggestMapping("crm")
	must(t, err)
	if len(suggestion.Suggestions) != 2 || suggestion.Suggestions[1].Target != "surname" || suggestion.Suggestions[1].Confidence != 0.9 || len(suggestion.Missing) > 0 {
		t.Errorf("gave %s", suggestion.Raw)
	}
	app["mapping"], app["matching"] = suggestion.Mapping, suggestion.Matching
	_, err = engine.PutApp(app, "")
	must(t, err)
	must(t, target.SetSchema([]SchemaAttribute{{Path: "userName", Type: "string"}}))
	discovery, err = engine.Discover("crm")
	must(t, err)
	if len(discovery.Changed) != 2 || discovery.Changed[0] != (SchemaChange{"surname", "removed"}) || len(discovery.Broken) != 1 {
		t.Errorf("gave %s", discovery.Raw)
	}
	if _, err = engine.Discover("nowhere"); !errors.Is(err, ErrNotFound) {
		t.Errorf("gave %v", err)
	}
	if _, err = engine.SuggestMapping("nowhere"); !errors.Is(err, ErrNotFound) {
		t.Errorf("gave %v", err)
	}
}

func TestBadDefinitionsAreToldAsTheCaseFilesSay(t *testing.T) {
	engine, err := Open("", Options{})
	must(t, err)
	defer engine.Close()
	files, err := filepath.Glob(data + "definitions/*.json")
	must(t, err)
	count := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		var cases []struct {
			Description        string
			App                json.RawMessage
			Findings, Warnings []Fault
		}
		must(t, json.Unmarshal(text, &cases))
		count += len(cases)
		for _, one := range cases {
			var app any = one.App
			var whole string
			if json.Unmarshal(one.App, &whole) == nil {
				app = whole // the document itself, which need not be JSON
			}
			told, err := engine.ValidateApp(app)
			must(t, err)
			same := func(told, wanted []Fault) bool {
				return len(told) == len(wanted) && (len(told) == 0 || reflect.DeepEqual(told, wanted))
			}
			if !same(told.Findings, one.Findings) || !same(told.Warnings, one.Warnings) {
				t.Errorf("%s: told %s", one.Description, told.Raw)
			}
		}
	}
	if count <= 60 {
		t.Errorf("only %d cases were found", count)
	}
}

// directory is a connector that says which attributes it has.
type directory struct{ UnsupportedConnector }

func (directory) Schema() ([]SchemaAttribute, error) {
	return []SchemaAttribute{{Path: "userName", Type: "string", Required: true}, {Path: "badge", Type: "integer"}}, nil
}

func TestWhatAConnectorSaysIsDiscovered(t *testing.T) {
	engine, err := Open("", Options{})
	must(t, err)
	defer engine.Close()
	must(t, engine.RegisterConnector("directory", directory{}))
	_, err = engine.PutApp(map[string]any{"id": "hr", "enabled": false, "connector": map[string]any{"kind": "custom", "name": "directory"}}, "")
	must(t, err)
	discovery, err := engine.Discover("hr")
	must(t, err)
	if len(discovery.Attributes) != 2 || discovery.Attributes[1].Type != "integer" || len(discovery.Findings) > 0 {
		t.Errorf("gave %s", discovery.Raw)
	}
}
