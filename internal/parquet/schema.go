package parquet

import (
	"encoding/json"
	"fmt"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"reconcile/internal/column"
)

// typesKey is the footer entry that holds the types which the schema of the
// file cannot express so that all engines agree: a JSON object of column name
// to type.
const typesKey = "reconcile.types"

// decimalBytes is the width of decimals of more than 18 digits.
const decimalBytes = 16

// physical returns the Parquet type that holds values of t.
func physical(t column.Type) format.Type {
	switch t.ID {
	case column.Int64, column.Timestamp:
		return format.Int64
	case column.Double:
		return format.Double
	case column.Boolean:
		return format.Boolean
	case column.Date:
		return format.Int32
	case column.Decimal:
		switch {
		case t.Precision <= 9:
			return format.Int32
		case t.Precision <= 18:
			return format.Int64
		}
		return format.FixedLenByteArray
	}
	return format.ByteArray
}

// element returns the schema entry of a column. JSON is annotated as a string:
// engines differ in what they make of the JSON annotation.
func element(c *column.Column) format.SchemaElement {
	e := format.SchemaElement{
		Name:           c.Name,
		Type:           thrift.New(physical(c.Type)),
		RepetitionType: thrift.New(format.Optional),
	}
	switch c.Type.ID {
	case column.String, column.JSON:
		e.ConvertedType = thrift.New(deprecated.UTF8)
		e.LogicalType.Value = &format.StringType{}
	case column.Timestamp:
		e.ConvertedType = thrift.New(deprecated.TimestampMillis)
		e.LogicalType.Value = &format.TimestampType{
			IsAdjustedToUTC: true,
			Unit:            format.TimeUnit{Value: &format.MilliSeconds{}},
		}
	case column.Date:
		e.ConvertedType = thrift.New(deprecated.Date)
		e.LogicalType.Value = &format.DateType{}
	case column.Decimal:
		p, s := int32(c.Type.Precision), int32(c.Type.Scale)
		e.ConvertedType = thrift.New(deprecated.Decimal)
		e.Precision, e.Scale = thrift.New(p), thrift.New(s)
		e.LogicalType.Value = &format.DecimalType{Precision: p, Scale: s}
		if c.Type.Kind() == column.KindBytes {
			e.TypeLength = thrift.New(int32(decimalBytes))
		}
	}
	return e
}

// typesEntry returns the value of the types entry, "" when the schema says it
// all.
func typesEntry(cols []column.Column) (string, error) {
	types := map[string]string{}
	for i := range cols {
		if cols[i].Type.ID == column.JSON {
			types[cols[i].Name] = cols[i].Type.String()
		}
	}
	if len(types) == 0 {
		return "", nil
	}
	b, err := json.Marshal(types)
	return string(b), err
}

// checkSchema refuses what cannot be written as one flat schema.
func checkSchema(cols []column.Column) error {
	if len(cols) == 0 {
		return fmt.Errorf("a Parquet file needs at least one column")
	}
	if len(cols) > maxColumns {
		return fmt.Errorf("%d columns: a Parquet file holds at most %d", len(cols), maxColumns)
	}
	seen := make(map[string]bool, len(cols))
	for i := range cols {
		c := &cols[i]
		if c.Name == "" {
			return fmt.Errorf("column %d has no name", i)
		}
		if seen[c.Name] {
			return fmt.Errorf("column %q is there twice", c.Name)
		}
		seen[c.Name] = true
		if t, err := column.ParseType(c.Type.String()); err != nil || t != c.Type {
			return fmt.Errorf("column %q: type %s cannot be written", c.Name, c.Type)
		}
	}
	return nil
}

// restore returns the columns that a schema describes; types is the types
// entry of the footer or "".
func restore(schema []format.SchemaElement, types string) ([]column.Column, error) {
	if len(schema) == 0 || int(schema[0].NumChildren.V) != len(schema)-1 {
		return nil, fmt.Errorf("the schema is not flat")
	}
	var over map[string]string
	if types != "" {
		if err := json.Unmarshal([]byte(types), &over); err != nil {
			return nil, fmt.Errorf("footer entry %s: %w", typesKey, err)
		}
	}
	cols := make([]column.Column, len(schema)-1)
	for i := range cols {
		e := &schema[i+1]
		t, err := restoreType(e)
		if err == nil && over[e.Name] != "" {
			t, err = overrideType(t, over[e.Name])
		}
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", e.Name, err)
		}
		cols[i] = column.Column{Name: e.Name, Type: t}
	}
	return cols, checkRestored(cols)
}

func checkRestored(cols []column.Column) error {
	if len(cols) == 0 {
		return fmt.Errorf("the schema has no columns")
	}
	return checkSchema(cols)
}

// overrideType applies an entry of the types footer. Only a refinement of text
// is taken: anything else would read values as what they are not.
func overrideType(t column.Type, name string) (column.Type, error) {
	o, err := column.ParseType(name)
	if err != nil {
		return t, fmt.Errorf("footer entry %s: %w", typesKey, err)
	}
	if o == t || t.ID == column.String && o.ID == column.JSON {
		return o, nil
	}
	return t, fmt.Errorf("footer entry %s says %s, the schema %s", typesKey, o, t)
}

// restoreType is the inverse of element.
func restoreType(e *format.SchemaElement) (column.Type, error) {
	if !e.Type.Valid || e.NumChildren.V != 0 {
		return column.Type{}, fmt.Errorf("nested columns are not supported")
	}
	if e.RepetitionType.V == format.Repeated {
		return column.Type{}, fmt.Errorf("repeated columns are not supported")
	}
	var t column.Type
	switch l := e.LogicalType.Value.(type) {
	case nil:
		t.ID = plainType(e)
	case *format.StringType:
		t.ID = column.String
	case *format.DateType:
		t.ID = column.Date
	case *format.IntType:
		t.ID = column.Int64
		if l.BitWidth != 64 || !l.IsSigned {
			return t, fmt.Errorf("only signed integers of 64 bits are supported, not %s", l)
		}
	case *format.TimestampType:
		t.ID = column.Timestamp
		if _, ms := l.Unit.Value.(*format.MilliSeconds); !ms || !l.IsAdjustedToUTC {
			return t, fmt.Errorf("only timestamps in milliseconds UTC are supported, not %s", l)
		}
	case *format.DecimalType:
		t = column.Type{ID: column.Decimal, Precision: int(l.Precision), Scale: int(l.Scale)}
	default:
		return t, fmt.Errorf("logical type %s is not supported", l)
	}
	if physical(t) != e.Type.V {
		return t, fmt.Errorf("%s is not stored as %s", t, e.Type.V)
	}
	if e.Type.V == format.FixedLenByteArray && e.TypeLength.V != decimalBytes {
		return t, fmt.Errorf("%s has %d bytes, not %d", t, e.TypeLength.V, decimalBytes)
	}
	return t, nil
}

// plainType is the type of a column without annotation; the caller finds out
// whether it fits.
func plainType(e *format.SchemaElement) column.TypeID {
	switch e.Type.V {
	case format.Boolean:
		return column.Boolean
	case format.Int64:
		return column.Int64
	case format.Double:
		return column.Double
	}
	return column.String
}
