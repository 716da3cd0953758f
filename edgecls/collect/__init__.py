"""Collecting a data set with the camera and a browser: a press keeps a picture of a label.

names       what a label may be called: whatever a folder can be named by, and nothing that misleads
index       the pictures that are there, by ids that mean nothing outside
labels      the labels in their order
catalog     what it holds at this moment, and what others change in it
collection  the folder: keep, relabel, discard, undo; what was acknowledged is on the disk
folder      what is looked up in it
history     what can be taken back
ceiling     how much may be kept: what does not fit is refused, nothing is deleted
gallery     thumbnails, made once, as many as fit into memory
making      the thread that makes them, and another one when a picture takes long
look        what a picture looks like: dark, blurred, like another one
hints       what the pictures lack, before training says so
session     the camera and the hands on it
survey      looks after all of it while nobody presses
state       what pages are told: all of it once, then what has changed
app         the page
"""
