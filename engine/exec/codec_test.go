package exec_test

import (
	"reflect"
	"testing"

	"reconcile/engine/exec"
)

// fill sets every field below v to something that is not zero, so that one which the
// codec leaves out shows.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() { // the others are derived
				fill(v.Field(i), n)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("text \xff " + string(rune('a'+*n%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n))
	default:
		v.SetInt(-*n)
	}
}

func TestCodecKeepsEveryField(t *testing.T) {
	n := int64(0)
	task, result := &exec.Task{}, &exec.Result{}
	fill(reflect.ValueOf(task).Elem(), &n)
	fill(reflect.ValueOf(result).Elem(), &n)
	task.Version = exec.FormatVersion
	b, err := exec.EncodeTask(task)
	if err != nil {
		t.Fatal(err)
	}
	gotTask, err := exec.DecodeTask(b)
	if err != nil || !reflect.DeepEqual(gotTask, task) {
		t.Errorf("the task is another one when read back: %v\n%+v\n%+v", err, gotTask, task)
	}
	if b, err = exec.EncodeResult(result); err != nil {
		t.Fatal(err)
	}
	gotResult, err := exec.DecodeResult(b)
	if err != nil || !reflect.DeepEqual(gotResult, result) {
		t.Errorf("the result is another one when read back: %v\n%+v\n%+v", err, gotResult, result)
	}
}

func TestTaskDigest(t *testing.T) {
	base := exec.Task{Version: exec.FormatVersion, Attempt: "1-a", Table: "events", Footer: map[string]string{"a": "1", "b": "2"}}
	digest := func(change func(*exec.Task)) string {
		u := base
		change(&u)
		d, err := u.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	was := digest(func(*exec.Task) {})
	if got := digest(func(u *exec.Task) { u.Attempt = "2-b" }); got != was {
		t.Error("the attempt changes the digest")
	}
	if got := digest(func(u *exec.Task) { u.Objects = "/scratch/apply-b/objects" }); got != was {
		t.Error("the attempt's place for objects changes the digest")
	}
	if got := digest(func(u *exec.Task) { u.Footer = map[string]string{"b": "2", "a": "1"} }); got != was {
		t.Error("the order of a map changes the digest")
	}
	for name, change := range map[string]func(*exec.Task){
		"the table":    func(u *exec.Task) { u.Table = "other" },
		"the base":     func(u *exec.Task) { u.Base.Commit = 1 },
		"a delivery":   func(u *exec.Task) { u.Deliveries = []exec.Delivery{{Dump: 1}} },
		"a strategy":   func(u *exec.Task) { u.Permitted.Delta = true },
		"a form":       func(u *exec.Task) { u.Formats.Index = 1 },
		"a threshold":  func(u *exec.Task) { u.Thresholds.CutAt = 1 },
		"the floor":    func(u *exec.Task) { u.Floor = 1 },
		"a target":     func(u *exec.Task) { u.Sinks = []exec.Target{{Root: "/lake"}} },
		"what is kept": func(u *exec.Task) { u.Stored = &exec.Stored{} },
	} {
		if digest(change) == was {
			t.Errorf("%s does not change the digest", name)
		}
	}
}

func TestDecodeTaskRefuses(t *testing.T) {
	other, err := exec.EncodeTask(&exec.Task{Version: exec.FormatVersion + 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"no CBOR": {0xff}, "nothing": nil, "another version": other} {
		if got, err := exec.DecodeTask(b); err == nil {
			t.Errorf("%s gave %+v", name, got)
		}
	}
}
