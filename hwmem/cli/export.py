"""`hwmem export R.hwm FORM -o FILE`: a kept result for other programs. `hwmem schema NAME`: what --json prints, as JSON Schema."""

from hwmem.cli.files import given
from hwmem.cli.line import believing, output_option, print_json, refusing
from hwmem.cli.parser import Refused

FORMS = ("chrome", "c2c", "csv", "parquet", "npz", "smaps")  # those of formats.FORMS, without importing it
TABLES = ("cores", "lines", "offsets", "events", "series", "space", "gc", "comparison", "run")  # frame.TABLES
SCHEMAS = ("result", "section", "difference", "workloads", "moments", "litmus", "sizes", "heap")  # schema.VERSIONS


def export_commands(command):
    sub = command(export_result, "export", "a kept result in a form that other programs read")
    sub.add_argument("file", type=given, metavar="R.hwm")
    sub.add_argument(
        "form",
        metavar="FORM",
        choices=FORMS,
        help="chrome (trace events for Perfetto), c2c (perf c2c's tables), csv, parquet, npz (event log and run over time), smaps",
    )
    sub.add_argument(
        "--table", choices=TABLES, default="lines", metavar="TABLE", help=f"of csv and parquet: {', '.join(TABLES)} (default lines)"
    )
    output_option(sub, "FILE", "the file to write", required=True)

    sub = command(show_schema, "schema", "what --json prints, as JSON Schema")
    sub.add_argument("name", metavar="NAME", choices=SCHEMAS, help=", ".join(SCHEMAS))


def export_result(arguments):
    from hwmem.formats import export
    from hwmem.runs.result import load_result
    from hwmem.whole_file import write_whole

    with refusing():
        result = load_result(arguments.file)
    with believing(arguments.file):
        try:
            data = export(result, arguments.form, arguments.table)
        except (ImportError, ValueError) as error:
            raise Refused(str(error)) from None
    with refusing():
        write_whole(arguments.output, data)


def show_schema(arguments):
    from hwmem.formats.schema import schema

    print_json(schema(arguments.name))
