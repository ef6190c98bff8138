package config

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions returns the functions of the language. Relative paths start at dir.
func functions(dir string, env func(string) (string, bool)) map[string]function.Function {
	fs := pureFunctions()
	abs := func(p string) string {
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		return filepath.Clean(p)
	}
	fs["file"] = textFunc(func(p string) (string, error) { return readText(abs(p)) })
	fs["abspath"] = textFunc(func(p string) (string, error) { return abs(p), nil })
	fs["pathexpand"] = textFunc(func(p string) (string, error) {
		rest, ok := strings.CutPrefix(p, "~")
		home, set := env("HOME")
		if !ok || rest != "" && rest[0] != '/' || !set {
			return p, nil
		}
		return filepath.Join(home, rest), nil
	})
	fs["fileexists"] = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			st, err := os.Stat(abs(args[0].AsString()))
			return cty.BoolVal(err == nil && st.Mode().IsRegular()), nil
		},
	})
	fs["env"] = function.New(&function.Spec{
		Description: "The value of an environment variable, null when it is not set.",
		Params:      []function.Parameter{{Name: "name", Type: cty.String}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, ok := env(args[0].AsString())
			if !ok {
				return cty.NullVal(cty.String), nil
			}
			return cty.StringVal(v).Mark(private), nil
		},
	})
	return fs
}

func pureFunctions() map[string]function.Function {
	fs := map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "log": stdlib.LogFunc,
		"max": stdlib.MaxFunc, "min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc, "signum": stdlib.SignumFunc,

		"chomp": stdlib.ChompFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc, "indent": stdlib.IndentFunc,
		"join": stdlib.JoinFunc, "lower": stdlib.LowerFunc, "regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc,
		"split": stdlib.SplitFunc, "strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc,
		"trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc,
		"trimsuffix": stdlib.TrimSuffixFunc, "upper": stdlib.UpperFunc,

		"chunklist": stdlib.ChunklistFunc, "coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc,
		"concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc,
		"flatten": stdlib.FlattenFunc, "index": stdlib.IndexFunc, "keys": stdlib.KeysFunc, "lookup": stdlib.LookupFunc,
		"merge": stdlib.MergeFunc, "range": stdlib.RangeFunc, "reverse": stdlib.ReverseListFunc,
		"setintersection": stdlib.SetIntersectionFunc, "setproduct": stdlib.SetProductFunc, "setsubtract": stdlib.SetSubtractFunc,
		"setunion": stdlib.SetUnionFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "values": stdlib.ValuesFunc,
		"zipmap": stdlib.ZipmapFunc,

		"csvdecode": stdlib.CSVDecodeFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"formatdate": stdlib.FormatDateFunc, "timeadd": stdlib.TimeAddFunc,
		"can": tryfunc.CanFunc, "try": tryfunc.TryFunc,
		"tobool": stdlib.MakeToFunc(cty.Bool), "tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), "tonumber": stdlib.MakeToFunc(cty.Number),
		"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), "tostring": stdlib.MakeToFunc(cty.String),

		"coalesce": coalesceFunc(), "length": lengthFunc(), "replace": replaceFunc(),
		"startswith": testFunc(strings.HasPrefix), "endswith": testFunc(strings.HasSuffix),
		"sensitive":    markFunc(func(v cty.Value) cty.Value { return v.Mark(sensitive) }),
		"nonsensitive": markFunc(revealed),
	}
	for name, f := range textFunctions() {
		fs[name] = textFunc(f)
	}
	return fs
}

// textFunctions turn one text into another.
func textFunctions() map[string]func(string) (string, error) {
	return map[string]func(string) (string, error){
		"base64encode": func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil },
		"base64decode": func(s string) (string, error) {
			b, err := base64.StdEncoding.DecodeString(s)
			if err != nil || !utf8.Valid(b) {
				return "", errors.New("the text is not the base64 form of UTF-8 text")
			}
			return string(b), nil
		},
		"md5":      func(s string) (string, error) { d := md5.Sum([]byte(s)); return hex.EncodeToString(d[:]), nil },
		"sha256":   func(s string) (string, error) { d := sha256.Sum256([]byte(s)); return hex.EncodeToString(d[:]), nil },
		"basename": func(s string) (string, error) { return filepath.Base(s), nil },
		"dirname":  func(s string) (string, error) { return filepath.Dir(s), nil },
	}
}

func textFunc(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		},
	})
}

func testFunc(f func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(f(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// readText reads a small regular file of UTF-8 text.
func readText(path string) (string, error) {
	const limit = 16 << 20
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() || st.Size() > limit {
		return "", fmt.Errorf("%s is not a regular file of at most %d MiB", path, limit>>20)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", fmt.Errorf("%s is not UTF-8 text", path)
	}
	return string(b), nil
}

// coalesceFunc returns the first argument that is neither null nor empty text.
func coalesceFunc() function.Function {
	param := function.Parameter{Name: "values", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true}
	return function.New(&function.Spec{
		VarParam: &param,
		Type: func(args []cty.Value) (cty.Type, error) {
			types := make([]cty.Type, len(args))
			for i, a := range args {
				types[i] = a.Type()
			}
			t, _ := convert.UnifyUnsafe(types)
			if t == cty.NilType {
				return cty.NilType, errors.New("all arguments must have the same type")
			}
			return t, nil
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			for _, a := range args {
				v, err := convert.Convert(a, t)
				if err != nil {
					return cty.NilVal, err
				}
				if !v.IsNull() && (t != cty.String || v.AsString() != "") {
					return v, nil
				}
			}
			return cty.NilVal, errors.New("all arguments are null or empty")
		},
	})
}

// lengthFunc counts the characters of text or the members of a collection.
func lengthFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			switch t := args[0].Type(); {
			case t == cty.String:
				return stdlib.Strlen(args[0])
			case t.IsObjectType():
				return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
			case t.IsTupleType() || t.IsCollectionType():
				return args[0].Length(), nil
			}
			return cty.NilVal, function.NewArgErrorf(0, "a text, a list, a set, a map or an object is needed")
		},
	})
}

// replaceFunc replaces text, or what a regular expression between slashes takes.
func replaceFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}, {Name: "by", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, part, by := args[0].AsString(), args[1].AsString(), args[2].AsString()
			if len(part) < 2 || part[0] != '/' || part[len(part)-1] != '/' {
				return cty.StringVal(strings.ReplaceAll(text, part, by)), nil
			}
			re, err := regexp.Compile(part[1 : len(part)-1])
			if err != nil {
				return cty.NilVal, function.NewArgError(1, err)
			}
			return cty.StringVal(re.ReplaceAllString(text, by)), nil
		},
	})
}

func markFunc(f func(cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType,
			AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f(args[0]), nil },
	})
}

// revealed takes the sensitive marks off a value, also inside it.
func revealed(v cty.Value) cty.Value {
	v, paths := v.UnmarkDeepWithPaths()
	var kept []cty.PathValueMarks
	for _, p := range paths {
		marks := maps.Clone(p.Marks)
		delete(marks, sensitive)
		if len(marks) > 0 {
			kept = append(kept, cty.PathValueMarks{Path: p.Path, Marks: marks})
		}
	}
	return v.MarkWithPaths(kept)
}
