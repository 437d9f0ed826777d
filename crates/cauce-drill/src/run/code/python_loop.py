# Runs the code of scripts for the runner, one script after the other, until its input ends.
#
# A request is a length and the text of a Python value: the script's name, constants, and its blocks as line, text
# and values. The answer is three texts, each with its length: the place of the failure (empty when there is none),
# what failed, and what was printed.
import os
import resource
import sys

MOST_PRINTED = 64 << 10
MOST_WRITTEN = 16 << 20
MOST_TOLD = 4096

# The conversation has descriptors of its own, so that blocks may read and print as they like.
requests = os.fdopen(os.dup(0), 'rb')
answers = os.fdopen(os.dup(1), 'wb')
printed = os.memfd_create('printed')
nothing = os.open(os.devnull, os.O_RDONLY)
for descriptor, stands_for in ((0, nothing), (1, printed), (2, printed)):
    os.dup2(stands_for, descriptor)
resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN, MOST_WRITTEN))


def read_request():
    length = requests.read(8)
    if len(length) < 8:
        return None
    return eval(requests.read(int.from_bytes(length, 'little')).decode())


def answer(*texts):
    for text in texts:
        data = text.encode(errors='replace')
        answers.write(len(data).to_bytes(8, 'little') + data)
    answers.flush()


def take_printed():
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os.lseek(printed, 0, os.SEEK_SET)
    data = os.read(printed, MOST_PRINTED)
    more = os.fstat(printed).st_size > len(data)
    os.ftruncate(printed, 0)
    os.lseek(printed, 0, os.SEEK_SET)
    return data.decode(errors='replace') + ('\n[more was printed]\n' if more else '')


def line_of(error, path):
    """The line of the script at which it was raised, as far as that is known."""
    line = error.lineno or 0 if isinstance(error, SyntaxError) and error.filename == path else 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def told_of(error, names):
    told = type(error).__name__
    text = str(error.msg) if isinstance(error, SyntaxError) else str(error)
    if text:
        told += ': ' + text
    if type(error) is NameError and getattr(error, 'name', None):
        import difflib
        near = difflib.get_close_matches(error.name, [name for name in names if not name.startswith('_')], 3)
        if near:
            told += '; similar names are ' + ', '.join(near)
    return told[:MOST_TOLD]


def run(path, constants, blocks):
    names = dict(constants, __name__='__main__')
    for index, (line, text, values) in enumerate(blocks):
        names.update(values)
        try:
            # As many empty lines as stand before it, so that errors carry the lines of the script.
            exec(compile('\n' * (line - 1) + text, path, 'exec'), names)
        except BaseException as error:
            if isinstance(error, SystemExit) and not error.code:
                return '', ''
            return f'{index} {line_of(error, path)}', told_of(error, names)
    return '', ''


while True:
    request = read_request()
    if request is None:
        break
    place, told = run(*request)
    answer(place, told, take_printed())
