"""The page that ``inkstream`` alone opens, so that nobody needs a terminal.

``guide`` leads from page to page and starts what was chosen; ``page`` says what stands on each, ``offers`` finds what
there is to choose from: windows, and what was kept or seen before. ``window`` shows a page and takes keys and the
mouse, ``view`` draws it, ``words`` is the row that takes what is typed. ``child`` runs a command in a process of its
own, so that this one stays small and is on the screen at once, and so that nothing that ends there ends this page.
``ready`` is such a process, there before it is known what will be chosen.
"""
