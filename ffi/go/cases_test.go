package rollkeeper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// dataCase is a case of tests/data/expression, tests/data/mapping or tests/data/matching.
type dataCase struct {
	Description string          `json:"description"`
	Expression  *string         `json:"expression"`
	Mapping     json.RawMessage `json:"mapping"`
	User        json.RawMessage `json:"user"`
	Current     json.RawMessage `json:"current"`
	Last        json.RawMessage `json:"last"`
	Options     json.RawMessage `json:"options"`
	Value       json.RawMessage `json:"value"`
	Rendered    json.RawMessage `json:"rendered"`
	Matching    json.RawMessage `json:"matching"`
	Accounts    json.RawMessage `json:"accounts"`
	Judged      json.RawMessage `json:"judged"`
	Query       json.RawMessage `json:"query"`
	Faults      []Fault         `json:"faults"`
}

// answer puts the case to the library.
func (c dataCase) answer() (json.RawMessage, error) {
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	user := c.User
	if user == nil {
		user = json.RawMessage("{}")
	}
	if c.Expression != nil && c.Options == nil {
		return Evaluate(*c.Expression, user, now)
	}
	if c.Matching != nil {
		judgement, err := MatchAccounts(c.Matching, user, c.Accounts)
		return judgement.Raw, err
	}
	if c.Expression != nil {
		options := EvaluateOptions{Now: now}
		var given struct{ Now time.Time }
		if err := errors.Join(json.Unmarshal(c.Options, &options), json.Unmarshal(c.Options, &given)); err != nil {
			return nil, err
		}
		if !given.Now.IsZero() {
			options.Now = given.Now
		}
		return EvaluateWith(*c.Expression, user, options)
	}
	given := func(document json.RawMessage) any {
		if document == nil {
			return nil
		}
		return document
	}
	rendering, err := Render(c.Mapping, user, given(c.Current), given(c.Last), now)
	if c.Current != nil || c.Last != nil {
		return rendering.Raw, err
	}
	payload, compiledErr := renderCompiled(c.Mapping, user, now)
	if !bytes.Equal(payload, rendering.Attributes) || !errors.Is(compiledErr, codeOf(err)) {
		return nil, fmt.Errorf("compiled, it gave %s and %v", payload, compiledErr)
	}
	return rendering.Raw, err
}

func renderCompiled(rules, user json.RawMessage, now time.Time) (json.RawMessage, error) {
	mapping, err := CompileMapping(rules)
	if err != nil {
		return nil, err
	}
	return mapping.Render(user, now)
}

// codeOf gives the code of an error, nil for none.
func codeOf(err error) error {
	var failure *Error
	if errors.As(err, &failure) {
		return failure.Code
	}
	return err
}

// canonical writes JSON as the library does: sorted keys, no white space, nothing escaped that need not be.
func canonical(t *testing.T, text json.RawMessage) string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	must(t, decoder.Decode(&value))
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	must(t, encoder.Encode(value))
	return string(bytes.TrimSuffix(written.Bytes(), []byte("\n")))
}

func (c dataCase) check(t *testing.T) {
	answer, err := c.answer()
	if c.Faults == nil {
		must(t, err)
		expected := c.Value
		if c.Mapping != nil {
			expected = c.Rendered
		} else if c.Matching != nil {
			expected = c.Judged
		}
		if wanted := canonical(t, expected); string(answer) != wanted {
			t.Errorf("gave %s, not %s", answer, wanted)
		}
		return
	}
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("gave %s and %v", answer, err)
	}
	found := failure.Details.Faults
	for place, fault := range c.Faults {
		if fault.Message == "" && place < len(found) {
			found[place].Message = "" // messages are for people; a case may leave them out
		}
	}
	if !reflect.DeepEqual(found, c.Faults) {
		t.Errorf("gave %+v, not %+v", found, c.Faults)
	}
}

func TestAnExpressionTellsWhatItReads(t *testing.T) {
	report, err := CheckExpression("lookup('dept', user.dept) + token", map[string]any{"dept": map[string]string{"X": "HR"}})
	must(t, err)
	want := ExpressionReport{Variables: []string{"token", "user"}, Functions: []string{"lookup"}, Paths: []string{"dept"}, Type: "string"}
	if report.Cost == 0 {
		t.Error("an expression costs something")
	}
	report.Record, report.Cost = Record{}, 0
	if !reflect.DeepEqual(report, want) {
		t.Errorf("gave %+v, not %+v", report, want)
	}
	if _, err := CheckExpression("user.a.lowr()", nil); !errors.Is(err, ErrUnknownFunction) {
		t.Errorf("gave %v", err)
	}
}

func TestExpressionsMappingsAndMatchingAnswerAsTheCaseFilesSay(t *testing.T) {
	count := 0
	for _, folder := range []string{"expression", "mapping", "matching"} {
		files, err := filepath.Glob(data + folder + "/*.json")
		must(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			must(t, err)
			var cases []dataCase
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.DisallowUnknownFields()
			must(t, decoder.Decode(&cases))
			count += len(cases)
			for _, one := range cases {
				t.Run(folder+"/"+one.Description, one.check)
			}
		}
	}
	if count <= 1300 {
		t.Errorf("only %d cases were found", count)
	}
}
