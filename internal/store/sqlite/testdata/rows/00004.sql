UPDATE posts SET due_at = visible_at - 5000000 WHERE kind = 'digest';
