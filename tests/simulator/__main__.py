import sys

try:
    from tests.simulator.command_line import app
except KeyboardInterrupt:
    sys.stderr.write("interrupted: the simulator has stopped\n")
    sys.exit(130)

app(prog_name="python -m tests.simulator")
