"""The names of numba that hwmem/_jit rests on and that numba does not promise: all of them are there.

pyproject.toml's bounds are the lowest and the highest version that the tests of core/ and jit/ were run with: 0.61.0 on Python 3.11, 0.68.1 on
Python 3.11 and 3.14.
"""

import importlib

import numba
import pytest

NAMES = {
    "llvmlite.binding.ffi": ["OutputString.close", "lib.LLVMPY_DisposeString"],
    "numba.config": ["DISABLE_JIT", "CACHE_DIR"],
    "numba.core.caching": [
        "FunctionCache._index_key",
        "FunctionCache.load_overload",
        "FunctionCache.save_overload",
        "FunctionCache.enable",
    ],
    "numba.core.callconv": [
        "CPUCallConv.call_function",
        "CPUCallConv.get_return_type",
        "CPUCallConv._get_arg_packer",
        "CPUCallConv._get_return_status",
    ],
    "numba.core.cgutils": ["if_unlikely"],
    "numba.core.codegen": [
        "JITCodeLibrary._optimize_final_module",
        "JITCodeLibrary._finalize_final_module",
        "JITCodeLibrary._finalize_dynamic_globals",
        "JITCodeLibrary._ensure_finalized",
        "JITCodeLibrary._get_compiled_object",
        "JITCodeLibrary.serialize_using_object_code",
        "JITCodeLibrary.add_linking_library",
        "JITCodeLibrary._get_module_for_linking",
        "JITCodeLibrary.enable_object_caching",
        "JITCodeLibrary.get_pointer_to_function",
    ],
    "numba.core.compiler": [
        "CompilerBase.define_pipelines",
        "DefaultPassBuilder.define_nopython_pipeline",
        "CompileResult._reduce",
        "CompileResult._rebuild",
        "CompileResult.lifted",
    ],
    "numba.core.compiler_machinery": ["register_pass", "PassManager.finalize", "PassManager._runPass"],
    "numba.core.errors": ["termcolor"],
    "numba.core.ir": ["Inst._rec_list_vars", "Var"],
    "numba.core.lowering": ["Lower.incref", "Lower.decref", "Lower.delvar", "Lower.typeof"],
    "numba.core.postproc": ["PostProcessor.run"],
    "numba.core.registry": [
        "CPUDispatcher.add_overload",
        "CPUDispatcher.get_call_template",
        "CPUDispatcher.get_overload",
        "CPUDispatcher.compile",
        "cpu_target.target_context.refresh",
        "cpu_target.target_context.get_abi_sizeof",
        "cpu_target.target_context.data_model_manager",
        "cpu_target.typing_context.refresh",
    ],
    "numba.core.runtime._nrt_python": ["c_helpers"],
    "numba.core.serialize": ["dumps"],
    "numba.core.sigutils": ["normalize_signature"],
    "numba.core.transforms": ["canonicalize_cfg"],
    "numba.core.typed_passes": ["NativeLowering.run_pass", "NativeLowering.lowering_class"],
    "numba.core.types": ["Record", "NestedArray", "unliteral", "BaseFunction.get_call_type", "IntegerLiteral"],
    "numba.core.typing.context": ["Context.find_matching_getattr_template"],
    "numba.cpython.numbers": ["_int_arith_flags"],
    "numba.np.arrayobj": ["fix_integer_index"],
}


@pytest.mark.parametrize("module, name", [(module, name) for module, names in NAMES.items() for name in names])
def test_numba_has_what_the_compiler_is_bent_by(module, name):
    import numba.core.config

    place = numba.config if module == "numba.config" else importlib.import_module(module)
    for part in name.split("."):
        assert hasattr(place, part), f"numba {numba.__version__} has no {module}.{name}: hwmem/_jit has to be fitted to it"
        place = getattr(place, part)


def test_the_passes_that_are_left_out_are_numbas():
    from hwmem._jit.compiler import UNNEEDED
    import numba.core.typed_passes as typed
    import numba.core.untyped_passes as untyped

    there = {name for module in (typed, untyped) for name in vars(module)} | {"DumpParforDiagnostics"}
    assert UNNEEDED <= there, f"numba {numba.__version__} has no pass {UNNEEDED - there}"
