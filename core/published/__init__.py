"""The authors' release: fetched, imported, browsed, recomputed as they did it, and questioned.

``manifest`` says which files belong to it, ``fetch`` downloads them, ``importer`` turns them into Parquet tables, and
``store`` opens those. ``recipe_paper`` and ``recipe_honest`` make curves of the tables; ``letitwag``, ``corpora`` and
``claims`` hold the other views; ``overlay`` lays one's own run beside the published ones.
"""
