"""Counting concepts in captions and images, however many there are.

A run is cut into parts (a file, a range of its bytes, or some of its row groups). Each part is one pure step: one
input range in, one small result file out, named by its content (``work.compute``). Results of parts are added up in
any order (``tally.Tally.merge``), so that a run can be stopped, killed and resumed, on one machine or many, and ends
in the same numbers.
"""
