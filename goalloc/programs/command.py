"""The command that runs a Go program's result again, with the environment that the program found."""

from hwmem.page import run


def command(result):
    words, environment = run.command(result, "goalloc"), result.values.get("environment", {})
    for name, option, usual in (("GOGC", "--gogc", 100), ("GOMEMLIMIT", "--memlimit", "off")):
        if environment.get(name) not in (usual, None):
            words += f" {option} {environment[name]}"
    godebug = ",".join(word for word in environment.get("GODEBUG", "").split(",") if word and not word.startswith("memprofilerate="))
    return f"{words} --godebug {godebug}" if godebug else words
