"""A command line's parser: argparse, with mistakes that are one line, and with two rules that hold for every command.

--with cores=8 FILE      a list of settings ends where a word is none     positionals_first
run tk.py -o tk.py       nothing that is read is written over             files.check_apart
"""

import argparse
import re

from hwmem import __version__
from hwmem.cli.files import check_apart, given, new_file, picture, workload_or_file

UNKNOWN_OPTION = re.compile(r"unrecognized arguments: --([\w.-]+)[ =]?([\w.-]+)?")
READ, WRITTEN = (given, workload_or_file), (new_file, picture)  # types


class Refused(Exception):
    """Wrong usage or input; the message is the line that says so."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        unknown = UNKNOWN_OPTION.search(message)
        if unknown:
            message += (
                f"; did you mean --set {unknown[1]}={unknown[2] or 'VALUE'}, a parameter of the workload, "
                f"or --with {unknown[1]}={unknown[2] or 'VALUE'}, a setting of the machine?"
            )
        raise Refused(f"{message} (see {self.prog} --help)")

    def parse_known_args(self, args=None, namespace=None):
        found, rest = super().parse_known_args(args if args is None else positionals_first(self, args), namespace)
        try:
            check_apart(self.named(found, READ), self.named(found, WRITTEN))
        except ValueError as error:
            self.error(str(error))
        return found, rest

    def named(self, found, types):
        """[(name of the option or argument, path)] of those of these types that were given."""
        named = []
        for action in self._actions:
            value = getattr(found, action.dest, None)
            if action.type in types and value:
                paths = [value] if isinstance(value, str) else value
                named += [("/".join(action.option_strings) or action.metavar, path) for path in paths if is_file(action.type, path)]
        return named


def is_file(type, word):
    return type is not workload_or_file or word.endswith(".py")


def command_line(prog, description):
    """A parser, and a function that adds to it a subcommand that runs a function."""
    top = Parser(prog=prog, description=description, allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"{prog} {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def command(function, name, help, add_help=True):
        sub = commands.add_parser(name, help=help, description=help, allow_abbrev=False, add_help=add_help)
        sub.set_defaults(run=function)
        return sub

    return top, command


def positionals_first(parser, words):
    """The words of a command with its options behind the arguments: `--with cores=8 FILE` as `FILE --with cores=8`, since a list of settings
    would take FILE for one. The words as they are if they have an option that is not known, or if the command takes the rest of the line."""
    if any(action.nargs in (argparse.PARSER, argparse.REMAINDER) for action in parser._actions):
        return words
    plain, groups, k = [], [], 0
    while k < len(words) and words[k] != "--":
        word, k = words[k], k + 1
        if not word.startswith("-") or word == "-":
            plain.append(word)
            continue
        groups.append([word])
        action = parser._option_string_actions.get(word)
        if action is None and not valued(parser, word):
            return words
        most = 0 if action is None or action.nargs == 0 else 1 if action.nargs is None else len(words)
        while most and k < len(words) and (action.nargs is None or not words[k].startswith("-")):
            groups[-1].append(words[k])
            most, k = most - 1, k + 1
    if not plain:
        plain = [word for group in groups for word in strangers(parser, group)]
        groups = [[word for word in group if word not in strangers(parser, group)] for group in groups]
    return [*plain, *(word for group in groups for word in group), *words[k:]]


def valued(parser, word):
    """Whether it is an option with its value in one word: --seed=3, -oFILE."""
    return word.partition("=")[0] in parser._option_string_actions or (word[1] != "-" and word[:2] in parser._option_string_actions)


def strangers(parser, group):
    """The words that an option's list of settings (NAME=VALUE) takes although they are none; the first one is meant to be one."""
    action = parser._option_string_actions.get(group[0])
    return [word for word in group[2:] if "=" not in word] if action and "=" in (action.metavar or "") else []
