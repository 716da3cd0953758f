"""Going through pictures that a camera recorded, or a model proposed labels for, in the browser.

found     the pictures there are, with what was said of them when they were taken
look      each looked at once: a thumbnail, and what a model says of it
groups    what shows the same together, what a model is least sure of first
folder    one review at a time, and its trash
recovery  what a crash has left
desk      made ready while the page is served: read, looked at, grouped, so many at a time
review    accept, relabel, reject, undo; what was acknowledged is on the disk
app       the page
"""
