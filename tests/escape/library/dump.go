// Command dump prints what the packages named by its arguments export, with the types that they reach, as JSON.
//
// A type is a basic type's name, "path.Name" for a declared one, or a list that begins with its kind.
package main

import (
	"encoding/json"
	"go/constant"
	"go/importer"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"sort"
)

type object = map[string]any

var files = token.NewFileSet()

func main() {
	source := importer.ForCompiler(files, "source", nil)
	out := object{}
	for _, path := range os.Args[1:] {
		if path == "unsafe" {
			continue
		}
		pkg, err := source.Import(path)
		if err != nil {
			os.Stderr.WriteString(path + ": " + err.Error() + "\n")
			continue
		}
		out[path] = describe(pkg)
	}
	json.NewEncoder(os.Stdout).Encode(out)
}

func describe(pkg *types.Package) object {
	consts, vars, funcs, named := object{}, object{}, object{}, object{}
	scope := pkg.Scope()
	for _, name := range scope.Names() {
		switch obj := scope.Lookup(name).(type) {
		case *types.Const:
			if obj.Exported() {
				consts[name] = []any{encode(obj.Type()), value(obj.Val())}
			}
		case *types.Var:
			if obj.Exported() {
				vars[name] = encode(obj.Type())
			}
		case *types.Func:
			if sig := obj.Type().(*types.Signature); sig.TypeParams().Len() == 0 {
				funcs[name] = function(obj, sig)
			}
		case *types.TypeName:
			named[name] = typeName(obj)
		}
	}
	return object{"name": pkg.Name(), "consts": consts, "vars": vars, "funcs": funcs, "types": named}
}

func value(v constant.Value) any {
	switch v.Kind() {
	case constant.Bool:
		return constant.BoolVal(v)
	case constant.String:
		return object{"string": []byte(constant.StringVal(v))}
	}
	return v.ExactString()
}

func typeName(obj *types.TypeName) any {
	if obj.IsAlias() {
		return object{"alias": encode(obj.Type())}
	}
	named := obj.Type().(*types.Named)
	if named.TypeParams().Len() > 0 {
		return object{"generic": true}
	}
	methods := object{}
	for i := 0; i < named.NumMethods(); i++ {
		m := named.Method(i)
		methods[m.Name()] = function(m, m.Type().(*types.Signature))
	}
	return object{"under": encode(named.Underlying()), "methods": methods}
}

func function(f *types.Func, sig *types.Signature) object {
	out := object{"sig": encode(sig), "at": place(f.Pos())}
	var where []string
	if recv := sig.Recv(); recv != nil {
		_, pointer := recv.Type().(*types.Pointer)
		out["pointer"] = pointer
		out["recv"] = recv.Name()
		where = append(where, place(recv.Pos()))
	}
	for i := 0; i < sig.Params().Len(); i++ {
		where = append(where, place(sig.Params().At(i).Pos()))
	}
	out["where"] = where
	return out
}

func place(p token.Pos) string {
	at := files.Position(p)
	dir := filepath.Base(filepath.Dir(at.Filename))
	return dir + "/" + filepath.Base(at.Filename) + ":" + itoa(at.Line) + ":" + itoa(at.Column)
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func tuple(t *types.Tuple) []any {
	out := []any{}
	for i := 0; i < t.Len(); i++ {
		out = append(out, []any{t.At(i).Name(), encode(t.At(i).Type())})
	}
	return out
}

var sizes = types.SizesFor("gc", "amd64")

// opaque is an instance of a generic type: its name, size, alignment and whether it holds pointers.
func opaque(t *types.Named) any {
	for i := 0; i < t.TypeArgs().Len(); i++ {
		if _, free := t.TypeArgs().At(i).(*types.TypeParam); free {
			return []any{"generic"}
		}
	}
	name := types.TypeString(t, func(p *types.Package) string { return p.Name() })
	return []any{"opaque", name, sizes.Sizeof(t), sizes.Alignof(t), pointers(t)}
}

func pointers(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Basic:
		return t.Kind() == types.String || t.Kind() == types.UnsafePointer
	case *types.Array:
		return t.Len() > 0 && pointers(t.Elem())
	case *types.Struct:
		for i := 0; i < t.NumFields(); i++ {
			if pointers(t.Field(i).Type()) {
				return true
			}
		}
		return false
	}
	return true
}

func encode(t types.Type) any {
	switch t := t.(type) {
	case *types.Basic:
		return t.Name()
	case *types.Named:
		obj := t.Obj()
		if t.TypeArgs().Len() > 0 {
			return opaque(t)
		}
		if obj.Pkg() == nil {
			return obj.Name()
		}
		return obj.Pkg().Path() + "." + obj.Name()
	case *types.Pointer:
		return []any{"ptr", encode(t.Elem())}
	case *types.Slice:
		return []any{"slice", encode(t.Elem())}
	case *types.Array:
		return []any{"array", encode(t.Elem()), t.Len()}
	case *types.Map:
		return []any{"map", encode(t.Key()), encode(t.Elem())}
	case *types.Chan:
		return []any{"chan", encode(t.Elem()), []string{"", "send", "recv"}[t.Dir()]}
	case *types.Signature:
		return []any{"func", tuple(t.Params()), tuple(t.Results()), t.Variadic()}
	case *types.Struct:
		fields := []any{}
		for i := 0; i < t.NumFields(); i++ {
			f := t.Field(i)
			fields = append(fields, []any{f.Name(), encode(f.Type()), f.Embedded()})
		}
		return []any{"struct", fields}
	case *types.Interface:
		methods := []any{}
		for i := 0; i < t.NumMethods(); i++ {
			methods = append(methods, []any{t.Method(i).Name(), encode(t.Method(i).Type())})
		}
		sort.Slice(methods, func(i, j int) bool { return methods[i].([]any)[0].(string) < methods[j].([]any)[0].(string) })
		return []any{"iface", methods}
	}
	return []any{"generic"}
}
