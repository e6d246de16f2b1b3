"""stub"""
def line_holders(machine, pa): pass
def check_machine(machine): pass
