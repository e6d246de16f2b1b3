def lines_overview(r): return None
def lines_table(r): return ""
