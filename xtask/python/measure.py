"""Runs a command and prints its seconds, the most memory that it held in MB, and its output: {"seconds", "mb", "output"}.

usage: measure.py COMMAND ARGUMENT...
"""
import json, os, subprocess, sys, time

started = time.monotonic()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
output = child.stdout.read()
_, status, usage = os.wait4(child.pid, 0)
if status:
    sys.exit(f"the command failed with status {status}")
print(json.dumps({"seconds": time.monotonic() - started, "mb": usage.ru_maxrss / 1024, "output": output}))
