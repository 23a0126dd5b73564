def table_checks(domain): return []
