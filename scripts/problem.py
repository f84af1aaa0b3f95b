"""The one error of the scripts: a sentence for the person at the terminal."""


class ScriptError(Exception):
    """Something a script can't go on from; the message is one sentence and says what to do."""
