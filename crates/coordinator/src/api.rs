pub(crate) fn router(_: crate::Coordinator, _: &crate::config::ApiSection) -> axum::Router {
    axum::Router::new()
}
