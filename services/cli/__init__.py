"""The command `tallystick`: the one room that may know both services."""
