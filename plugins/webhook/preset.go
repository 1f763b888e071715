package webhook

// presets are the mappings of well-known senders. The one without a name is empty.
func presets() map[string]Mapping {
	return map[string]Mapping{
		// Publishing fires several events; what counts is whether the article is on show after them. Of an edit, previous holds
		// only what changed; of a deletion, current is empty. What is for members only shows its summary.
		"ghost": {
			Each:   `[{"now": pick(body, "post.current", "page.current") ?? {}, "was": pick(body, "post.previous", "page.previous") ?? {}}]`,
			When:   `entry.now?.status == "published" || entry.was?.status == "published"`,
			Remove: `entry.now?.status != "published"`,
			Key:    `pick(entry, "now.id", "was.id")`,
			Title:  `entry.now.title`, Summary: `pick(entry, "now.custom_excerpt", "now.excerpt")`,
			HTML: `(entry.now?.visibility ?? "public") == "public" ? entry.now?.html : nil`,
			URL:  `entry.now?.url`, Authors: `entry.now?.authors`,
			Tags:  `map(filter(entry.now?.tags ?? [], (#.visibility ?? "public") != "internal"), #.name)`,
			Lang:  `entry.now?.locale`,
			Image: `entry.now?.feature_image`, ImageAlt: `entry.now?.feature_image_alt`, ImageCredit: `entry.now?.feature_image_caption`,
			Published: `entry.now?.published_at`, Updated: `entry.now?.updated_at`,
		},
		// WordPress itself calls nobody; its plugins send the post as the REST API shows it, or as the database has it.
		"wordpress": {
			When: `pick(entry, "id", "ID", "post_id", "post.ID") != nil && (pick(entry, "status", "post_status", "post.post_status") in [nil, "publish", "trash", "draft", "private", "pending"])` +
				` && (pick(entry, "type", "post_type", "post.post_type") ?? "post") != "revision"`,
			Remove:  `(pick(entry, "status", "post_status", "post.post_status") ?? "publish") != "publish" || (entry.action ?? entry.hook ?? "") in ["delete", "deleted", "trash", "delete_post", "wp_trash_post"]`,
			Key:     `pick(entry, "id", "ID", "post_id", "post.ID")`,
			Title:   `pick(entry, "title.rendered", "title.raw", "post_title", "post.post_title", "title")`,
			Summary: `pick(entry, "excerpt.raw", "post_excerpt", "post.post_excerpt")`,
			HTML:    `pick(entry, "content.rendered", "content.raw", "post_content", "post.post_content", "content")`,
			URL:     `pick(entry, "link", "permalink", "post_permalink", "post.guid", "guid.rendered")`,
			Authors: `pick(entry, "author_name", "post.author_name", "author.display_name", "author.name")`,
			Tags:    `pick(entry, "tag_names", "taxonomies.post_tag", "post.tags")`, Lang: `pick(entry, "lang", "locale")`,
			Image:     `pick(entry, "featured_image_url", "featured_media_url", "post_thumbnail", "featured_image")`,
			Published: `let t = pick(entry, "date_gmt", "post_date_gmt", "post.post_date_gmt"); t == nil ? pick(entry, "date") : string(t) + "Z"`, Updated: `let t = pick(entry, "modified_gmt", "post_modified_gmt", "post.post_modified_gmt"); t == nil ? pick(entry, "modified") : string(t) + "Z"`,
			NotBefore: `pick(entry, "meta.embargo", "acf.embargo")`, Urgency: `pick(entry, "meta.urgency", "acf.urgency")`, Correction: `pick(entry, "meta.correction", "acf.correction")`,
		},
		// The number of an entry changes with each version since Strapi 5, and its documentId stays; a language is an item of its own.
		"strapi": {
			Each:   `body.entry == nil ? [] : [body.entry]`,
			When:   `event in ["entry.publish", "entry.unpublish", "entry.delete"] || event in ["entry.create", "entry.update"] && pick(entry, "publishedAt", "published_at") != nil`,
			Remove: `event in ["entry.unpublish", "entry.delete"]`,
			Key:    `string(pick(body, "model") ?? "entry") + ":" + string(pick(entry, "documentId", "id") ?? "") + (pick(entry, "locale") == nil ? "" : ":" + entry.locale)`,
			Title:  `pick(entry, "title", "headline", "name")`, Summary: `pick(entry, "summary", "excerpt", "description", "lead")`,
			HTML:     `let t = pick(entry, "content", "body", "text"); type(t) == "string" && t startsWith "<" ? t : nil`,
			Markdown: `let t = pick(entry, "content", "body", "text"); type(t) == "string" ? t : nil`,
			URL:      `pick(entry, "url", "link", "canonicalUrl", "seo.canonicalURL")`, Authors: `pick(entry, "authors", "author.name", "author.username")`,
			Tags: `pick(entry, "tags", "categories", "category.name")`, Lang: `pick(entry, "locale")`,
			Image: `pick(entry, "cover.url", "image.url", "thumbnail.url")`, ImageAlt: `pick(entry, "cover.alternativeText", "image.alternativeText")`,
			Published: `pick(entry, "publishedAt", "published_at")`, Updated: `pick(entry, "updatedAt", "updated_at")`,
			NotBefore: `pick(entry, "embargo", "notBefore", "embargoUntil")`, Urgency: `pick(entry, "urgency")`, Correction: `pick(entry, "correction", "correctionNote")`,
		},
		"github": {
			Each:     `body.release == nil ? [] : [body.release]`,
			When:     `event == "release" && !(entry.draft ?? false) && body.action in ["published", "released", "prereleased", "edited", "unpublished", "deleted"]`,
			Remove:   `body.action in ["unpublished", "deleted"]`,
			Key:      `"release:" + string(entry.id)`,
			Title:    `string(pick(body, "repository.name") ?? "") + " " + string(pick(entry, "name", "tag_name") ?? "")`,
			Markdown: `entry.body`, URL: `entry.html_url`, Authors: `pick(entry, "author.login")`,
			Tags: `(entry.prerelease ?? false) ? ["release", "prerelease"] : ["release"]`, Published: `entry.published_at`, Updated: `entry?.updated_at`,
		},
		// What the data holds is the sender's own affair; the names that are looked for are those of schema.org and of feeds.
		"cloudevents": {
			Each:   `events`,
			Remove: `entry.type matches "[.](deleted|removed|withdrawn|unpublished|retracted)([.]v[0-9]+)?$"`,
			Key:    `pick(entry, "subject", "data.id", "data.key", "id")`,
			Title:  `pick(entry, "data.title", "data.headline", "data.name")`, Summary: `pick(entry, "data.summary", "data.description", "data.abstract")`,
			HTML: `pick(entry, "data.html", "data.content_html")`, Text: `pick(entry, "data.text", "data.content_text", "data.articleBody")`,
			URL: `pick(entry, "data.url", "data.link")`, Authors: `pick(entry, "data.authors", "data.author.name", "data.author")`,
			Tags: `pick(entry, "data.tags", "data.keywords")`, Lang: `pick(entry, "data.lang", "data.language", "data.inLanguage")`,
			Image: `pick(entry, "data.image.url", "data.image")`, ImageAlt: `pick(entry, "data.image_alt", "data.image.alt")`,
			Published: `pick(entry, "data.published", "data.datePublished")`, Updated: `pick(entry, "data.updated", "data.dateModified", "time")`,
			NotBefore: `pick(entry, "data.not_before", "data.embargo")`, Expires: `pick(entry, "data.expires")`, Urgency: `pick(entry, "data.urgency")`,
			Correction: `pick(entry, "data.correction", "data.correction_note")`, TranslationOf: `pick(entry, "data.translation_of")`,
		},
	}
}
