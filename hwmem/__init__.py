"""stub"""
from hwmem.config import *
from hwmem.machine import Machine
